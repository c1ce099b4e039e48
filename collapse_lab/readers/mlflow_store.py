"""MLflow: its SQLite database, or the older `mlruns` folder with one file a metric.

The database cannot hold NaN or infinity: NaN is a flag beside the value, infinity the largest
double. Source: MLflow `store/tracking/sqlalchemy_store.py` and `file_store.py`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from collapse_lab.readers.base import Row, number
from collapse_lab.readers.points import Gatherer, Point
from collapse_lab.readers.settings_text import from_texts
from collapse_lab.readers.sqlite_reading import columns, query
from collapse_lab.tail import Tail

HARDWARE = "system/"
"""Prefix of MLflow's own hardware samples, whose steps count samples, not training steps."""
INFINITY = "the largest double in the store: MLflow's way to keep infinity"

_NEW_POINTS = """
    SELECT metrics.rowid, runs.name, runs.run_uuid, key, value, is_nan, timestamp, step
    FROM metrics JOIN runs ON runs.run_uuid = metrics.run_uuid
    WHERE metrics.rowid > ? AND runs.lifecycle_stage = 'active' ORDER BY metrics.rowid
"""
_PARAMETERS = "SELECT key, value FROM params WHERE run_uuid = ?"


class MlflowDatabase:
    """`mlflow.db`; runs are named by their name and the head of their id."""

    name: ClassVar[str] = "mlflow"
    framework: ClassVar[str | None] = None
    merges: ClassVar[bool] = True

    @classmethod
    def claims(cls, path: Path) -> float:
        return 1.0 if columns(path, "metrics") >= {"run_uuid", "is_nan", "step"} else 0.0

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last_row = 0
        self._ids: dict[str, str] = {}
        self._gatherer = Gatherer()

    def new(self) -> list[Row]:
        points: list[Point] = []
        for rowid, name, run, key, value, is_nan, time, step in query(
            self._path, _NEW_POINTS, self._last_row
        ):
            self._last_row = rowid
            if key.startswith(HARDWARE):
                continue
            infinite = abs(value) == sys.float_info.max
            value = math.nan if is_nan else math.copysign(math.inf, value) if infinite else value
            note = INFINITY if infinite else ""
            label = _label(name, run)
            self._ids[label] = run
            points.append(Point(step, key, value, time / 1000, label, note))
        return self._gatherer.rows(points)

    def close(self) -> list[Row]:
        return []

    def config(self, run: str) -> Mapping[str, Any]:
        if run not in self._ids or not columns(self._path, "params") >= {"key", "run_uuid"}:
            return {}
        return from_texts(dict(query(self._path, _PARAMETERS, self._ids[run])))


class MlflowFolder:
    """`mlruns`, an experiment or a run in it: `metrics/<key>` holds lines `time value step`."""

    name: ClassVar[str] = "mlflow-folder"
    framework: ClassVar[str | None] = None
    merges: ClassVar[bool] = True

    @classmethod
    def claims(cls, path: Path) -> float:
        return 0.9 if path.is_dir() and any(_runs(path)) else 0.0

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tails: dict[Path, Tail] = {}
        self._gatherer = Gatherer()

    def new(self) -> list[Row]:
        return self._gatherer.rows(
            point
            for run in sorted(_runs(self._path))
            for file in sorted((run / "metrics").rglob("*"))
            if file.is_file()
            for point in self._points(file, run)
        )

    def close(self) -> list[Row]:
        return []

    def config(self, run: str) -> Mapping[str, Any]:
        """`params/<name>` holds the text of one setting."""
        folders = [f / "params" for f in _runs(self._path) if _label(_name(f), f.name) == run]
        files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
        names = {file: "/".join(file.parts[len(folders[0].parts) :]) for file in files}
        return from_texts({name: file.read_text(errors="replace") for file, name in names.items()})

    def _points(self, file: Path, run: Path) -> Iterator[Point]:
        key = file.relative_to(run / "metrics").as_posix()
        tail = self._tails.setdefault(file, Tail(file))
        while lines := tail.lines():
            for line in lines:
                time, value, step, *_ = [*line.split(), "", "", ""]
                if (measured := number(value)) is not None and step.lstrip("-").isdecimal():
                    moment = (number(time) or math.nan) / 1000
                    if not key.startswith(HARDWARE):
                        yield Point(int(step), key, measured, moment, _label(_name(run), run.name))


def _runs(folder: Path) -> Iterator[Path]:
    return (
        metrics.parent
        for pattern in ("metrics", "*/metrics", "*/*/metrics")
        for metrics in folder.glob(pattern)
        if (metrics.parent / "meta.yaml").is_file()
    )


def _name(run: Path) -> str:
    lines = (run / "meta.yaml").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("run_name:"))
    return next(names, "")


def _label(name: str | None, run: str) -> str:
    return f"{name or 'run'}-{run[:8]}"
