"""TensorBoard: an event file, or a folder of them, through TensorBoard's own reader.

Event files of one folder continue one run; each sub-folder is a run of its own, but for those in
which torch keeps what `add_hparams` was given. The configuration is the text `args` (transformers,
TRL), or that (NeMo-RL).
Source: transformers `integrations/integration_utils.py`, NeMo-RL `utils/logger.py`, torch
`utils/tensorboard/`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from collapse_lab.readers.base import Row
from collapse_lab.readers.optional import tracker_module
from collapse_lab.readers.points import Gatherer, Point
from collapse_lab.readers.settings_text import from_json

PATTERNS = ("*tfevents*", "*/*tfevents*", "*/*/*tfevents*")
ARGUMENTS, HPARAMS = "args/text_summary", "_hparams_/session_start_info"


class TensorBoardEvents:
    """Scalars under their tags; a torn event at the end waits.

    Raises UnreadableLog when TensorBoard is not installed.
    """

    name: ClassVar[str] = "tensorboard"
    framework: ClassVar[str | None] = None
    merges: ClassVar[bool] = True

    @classmethod
    def claims(cls, path: Path) -> float:
        if path.is_dir():
            return 0.8 if any(_files(path)) else 0.0
        return 1.0 if "tfevents" in path.name else 0.0

    def __init__(self, path: Path) -> None:
        loading = tracker_module("tensorboard.backend.event_processing.event_file_loader", path)
        self._path = path
        self._open_file = loading.LegacyEventFileLoader
        self._to_array = tracker_module("tensorboard.util.tensor_util", path).make_ndarray
        plugin = tracker_module("tensorboard.plugins.hparams.plugin_data_pb2", path)
        self._hparams: Any = plugin.HParamsPluginData
        self._broken = tracker_module("google.protobuf.message", path).DecodeError
        self._loaders: dict[Path, Any] = {}
        self._tags: dict[Path, set[str]] = {}
        self._configs: dict[Path, dict[str, Any]] = {}
        self._described: set[Path] = set()
        """Folders with what `add_hparams` wrote: of a run in them, or else of the one above."""
        self._runs: dict[Path, str] = {}
        self._gatherer = Gatherer()

    def new(self) -> list[Row]:
        files = sorted(_files(self._path)) if self._path.is_dir() else [self._path]
        points: dict[Path, list[Point]] = {}
        for file in files:
            if file not in self._loaders:
                self._loaders[file] = self._open_file(str(file))
            if found := [*self._points(file)]:
                points.setdefault(file.parent, []).extend(found)
        known = self._runs.keys() | points.keys()
        runs = [f for f in points if f not in self._described or f.parent not in known]
        self._name(runs)
        named = (point._replace(run=self._runs[run]) for run in runs for point in points[run])
        return self._gatherer.rows(named)

    def _name(self, runs: list[Path]) -> None:
        """Names the runs that are new by their folders below ours; one that comes alone at first
        has no name, and keeps none."""
        alone = not self._runs and len(runs) == 1
        for run in runs:
            if run not in self._runs:
                unnamed = alone or run == self._path
                self._runs[run] = "" if unnamed else run.relative_to(self._path).as_posix()

    def close(self) -> list[Row]:
        return []

    def config(self, run: str) -> Mapping[str, Any]:
        own = next((folder for folder, name in self._runs.items() if name == run), None)
        if own in self._configs:
            return self._configs[own]
        below = (stated for folder, stated in self._configs.items() if folder.parent == own)
        return next(below, dict[str, Any]())

    def _points(self, file: Path) -> Iterator[Point]:
        tags = self._tags.setdefault(file.parent, set())
        for event in self._loaders[file].Load():
            for entry in event.summary.value:
                value = self._scalar(entry)
                if value is None:
                    if stated := self._stated(entry, file.parent):
                        self._configs[file.parent] = stated
                    continue
                tags.add(entry.tag)
                # rsl_rl writes each curve a second time with seconds in place of the step.
                if entry.tag.removesuffix("/time") in tags - {entry.tag}:
                    continue
                yield Point(event.step, entry.tag, value, event.wall_time)

    def _scalar(self, entry: Any) -> float | None:
        """The number of a summary value: a plain float, or a tensor of one element."""
        if entry.HasField("simple_value"):
            return float(entry.simple_value)
        if not entry.HasField("tensor"):
            return None
        array = self._to_array(entry.tensor)
        return float(array.item()) if array.size == 1 and array.dtype.kind in "fiub" else None

    def _stated(self, entry: Any, folder: Path) -> dict[str, Any]:
        """The configuration that a summary value holds; {} where it holds something else."""
        if entry.tag == ARGUMENTS and entry.HasField("tensor"):
            texts = self._to_array(entry.tensor).ravel().tolist()
            return from_json(texts[0]) if texts and isinstance(texts[0], bytes) else {}
        if entry.tag == HPARAMS:
            self._described.add(folder)
            data = self._hparams()
            try:
                data.ParseFromString(entry.metadata.plugin_data.content)
            except self._broken:
                return {}
            values = data.session_start_info.hparams.items()
            return {
                name: getattr(value, kind)
                for name, value in values
                if (kind := value.WhichOneof("kind"))
            }
        return {}


def _files(folder: Path) -> Iterator[Path]:
    return (file for pattern in PATTERNS for file in folder.glob(pattern))
