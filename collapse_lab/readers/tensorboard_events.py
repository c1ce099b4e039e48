"""TensorBoard: an event file, or a folder of them, through TensorBoard's own reader.

Event files of one folder continue one run; each sub-folder is a run of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from collapse_lab.readers.base import Row
from collapse_lab.readers.optional import tracker_module
from collapse_lab.readers.points import Gatherer, Point

PATTERNS = ("*tfevents*", "*/*tfevents*", "*/*/*tfevents*")


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
        self._loaders: dict[Path, Any] = {}
        self._tags: dict[str, set[str]] = {}
        self._gatherer = Gatherer()

    def new(self) -> list[Row]:
        files = sorted(_files(self._path)) if self._path.is_dir() else [self._path]
        one_run = len({file.parent for file in files}) == 1
        points: list[Point] = []
        for file in files:
            run = "" if one_run else file.parent.relative_to(self._path).as_posix()
            if file not in self._loaders:
                self._loaders[file] = self._open_file(str(file))
            points += self._points(file, run)
        return self._gatherer.rows(points)

    def close(self) -> list[Row]:
        return []

    def _points(self, file: Path, run: str) -> Iterator[Point]:
        tags = self._tags.setdefault(run, set())
        for event in self._loaders[file].Load():
            for entry in event.summary.value:
                value = self._scalar(entry)
                if value is None:
                    continue
                tags.add(entry.tag)
                # rsl_rl writes each curve a second time with seconds in place of the step.
                if entry.tag.removesuffix("/time") in tags - {entry.tag}:
                    continue
                yield Point(event.step, entry.tag, value, event.wall_time, run)

    def _scalar(self, entry: Any) -> float | None:
        """The number of a summary value: a plain float, or a tensor of one element."""
        if entry.HasField("simple_value"):
            return float(entry.simple_value)
        if not entry.HasField("tensor"):
            return None
        array = self._to_array(entry.tensor)
        return float(array.item()) if array.size == 1 and array.dtype.kind in "fiub" else None


def _files(folder: Path) -> Iterator[Path]:
    return (file for pattern in PATTERNS for file in folder.glob(pattern))
