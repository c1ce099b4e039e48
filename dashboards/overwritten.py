"""What earlier attempts of a run have logged and a later one has gone back behind.

It is in records.jsonl alone: of each step a run's columns, like its Parquet, hold the row of the
last attempt.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from collapse_lab.dashboards.columns import Column
from collapse_lab.records import NEW_RUN, Record
from collapse_lab.store import RunReader

MOST_ROWS = 20_000
"""Longer runs are not read again as records, which takes some seconds."""


class Piece:
    """The end of one attempt, from the step that a later one went back to."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records
        self.steps: NDArray[np.int64] = np.array([record.step for record in records], np.int64)

    def read(self, names: Iterable[str]) -> dict[str, Column]:
        """Columns by name; a name that it does not log is left out."""
        found: dict[str, Column] = {}
        for name in names:
            present = np.array([name in record.values for record in self._records])
            if present.any():
                values = [record.values.get(name, np.nan) for record in self._records]
                found[name] = Column(np.array(values, np.float64), present)
        return found


class Overwritten:
    """The pieces of one run, as far as it has been written."""

    def __init__(self, folder: Path) -> None:
        self._reader = RunReader(folder)
        self._pieces: list[Piece] = []
        self._line: list[Record] = []
        self._lock = threading.Lock()

    def pieces(self) -> list[Piece]:
        with self._lock:
            for record in self._reader.new():
                self._add(record)
            return list(self._pieces)

    def _add(self, record: Record) -> None:
        if NEW_RUN in record.notes:
            self._pieces, self._line = [], []
        if self._line and record.step < self._line[-1].step:
            kept = len(self._line)
            while kept and self._line[kept - 1].step >= record.step:
                kept -= 1
            self._pieces.append(Piece(self._line[kept:]))
            del self._line[kept:]
        self._line.append(record)
