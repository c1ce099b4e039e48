"""trackio: its SQLite database, one a project, one row a `log` call with the metrics as JSON.

Non-finite numbers are the strings "NaN", "Infinity" and "-Infinity" there. Source: trackio
`sqlite_storage.py`, `utils.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from collapse_lab.readers.base import Row
from collapse_lab.readers.fields import FieldReader, LogCalls, flatten
from collapse_lab.readers.settings_text import from_json
from collapse_lab.readers.sqlite_reading import columns, query

_NEW_ROWS = "SELECT id, run_name, step, timestamp, metrics FROM metrics WHERE id > ? ORDER BY id"
_CONFIG = "SELECT config FROM configs WHERE run_name = ? ORDER BY id DESC LIMIT 1"


class TrackioDatabase:
    """A project's database; its runs keep their names."""

    name: ClassVar[str] = "trackio"
    framework: ClassVar[str | None] = None
    merges: ClassVar[bool] = True

    @classmethod
    def claims(cls, path: Path) -> float:
        return 1.0 if columns(path, "metrics") >= {"run_name", "step", "metrics"} else 0.0

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last_row = 0
        self._runs: dict[str, tuple[FieldReader, LogCalls]] = {}

    def new(self) -> list[Row]:
        rows: list[Row] = []
        for rowid, run, step, time, metrics in query(self._path, _NEW_ROWS, self._last_row):
            self._last_row = rowid
            reader, calls = self._runs.setdefault(run, (FieldReader(("_step",)), LogCalls()))
            stated: dict[str, Any] = {"_step": step, "_timestamp": time, **json.loads(metrics)}
            row = reader.row(dict(flatten(stated)), run)
            if row.values and (row := calls.row(row)).values:
                rows.append(row)
        return rows

    def close(self) -> list[Row]:
        return []

    def config(self, run: str) -> Mapping[str, Any]:
        """What its `init` was given; names that begin with "_" are trackio's own."""
        if not columns(self._path, "configs") >= {"id", "run_name", "config"}:
            return {}  # a store of before trackio kept them
        for (text,) in query(self._path, _CONFIG, run):
            stated = from_json(text)
            return {name: value for name, value in stated.items() if not name.startswith("_")}
        return {}
