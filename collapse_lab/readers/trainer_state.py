"""transformers' trainer_state.json: the whole history, saved anew with every checkpoint.

`{"global_step": 500, "log_history": [{"loss": 0.1, "reward": 0.4, ..., "step": 2}, ...]}`, in
which NaN and infinity are bare, as Python's json writes them. People also save `log_history`
alone, or as `{"steps": [...]}`.
Source: transformers `trainer_callback.py`, TrainerState.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar, cast

from collapse_lab.readers.aliases import guess
from collapse_lab.readers.base import SURE, Row
from collapse_lab.readers.fields import FieldReader
from collapse_lab.readers.trl import SUMMARY

_FILE = "trainer_state.json"
_LISTS = ("log_history", "steps")


class TrainerState:
    """The entries that were added since the last look, those of one step merged. A run that was
    resumed from an earlier checkpoint has other ones from there on.

    `path` may be the file, a checkpoint, or the output folder, of which the newest checkpoint is
    read.
    """

    name: ClassVar[str] = "trainer-state"
    framework: ClassVar[str | None] = "trl"
    merges: ClassVar[bool] = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fields = FieldReader(("step",))
        self._read: list[str] = []
        self._seen: tuple[Path, int] | None = None

    @classmethod
    def claims(cls, path: Path) -> float:
        file = _file(path)
        document = _load(file) if file else None
        entries = _entries(document)
        keys = [key for entry in entries[:50] for key in entry]
        if isinstance(document, dict) and "log_history" in document and "step" in keys:
            return SURE + 0.05
        return SURE if "step" in keys and guess(keys) == "trl" else 0.0

    def new(self) -> list[Row]:
        file = _file(self._path)
        seen = (file, file.stat().st_mtime_ns) if file else None
        entries = _entries(_load(file)) if file and seen != self._seen else []
        if not entries:  # nothing new, or being written
            return []
        self._seen = seen
        texts = [repr(entry) for entry in entries]  # in which NaN is equal to itself
        both = enumerate(zip(texts, self._read, strict=False))
        shared = next((place for place, (now, then) in both if now != then), len(self._read))
        if shared < len(texts):  # else an older checkpoint, touched
            self._read = texts
        rows = [self._fields.row(entry) for entry in entries[shared:] if SUMMARY not in entry]
        return [row for row in rows if row.step is not None and row.values]

    def close(self) -> list[Row]:
        return []


def _file(path: Path) -> Path | None:
    """The file itself, or the newest in a folder of checkpoints; None when there is none (yet)."""
    if not path.is_dir():
        return path if path.suffix == ".json" else None
    candidates = [*path.glob(_FILE), *path.glob(f"checkpoint-*/{_FILE}")]
    return max(candidates, key=lambda path: path.stat().st_mtime_ns, default=None)


def _load(path: Path) -> Any:
    """The JSON document in a file; None while there is none."""
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError, OSError):
        return None


def _entries(document: Any) -> list[dict[str, Any]]:
    """The log history in a document, [] when it holds none."""
    if isinstance(document, dict):
        parts = cast(dict[str, Any], document)
        document = next((parts[name] for name in _LISTS if name in parts), None)
    if not isinstance(document, list):
        return []
    entries = cast(list[Any], document)
    return cast(list[dict[str, Any]], entries) if all(isinstance(e, dict) for e in entries) else []
