"""A run that is not sealed as columns: they grow by the reader's cursor."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collapse_lab.dashboards.columns import Column, Floats, Happened
from collapse_lab.dashboards.growing import Growing
from collapse_lab.frames import events_of
from collapse_lab.records import NEW_RUN, Record
from collapse_lab.store import RunReader

BREATH_SECONDS = 0.001
"""Between two batches: a lock that is taken again at once leaves others waiting."""
KINDS: dict[str, Any] = {"step": np.int64, "time": np.float64, "attempt": np.int64}


class OpenColumns:
    """A run that is being written, or whose writer has died. Threads may read on at once: each
    takes its part, a batch of records at a time."""

    live = True

    def __init__(self, folder: Path) -> None:
        self.whole = False
        self._reader = RunReader(folder)
        self._lock = threading.Lock()
        self._clear()
        self.version = 0

    def _clear(self) -> None:
        self._keys = {name: Growing(kind) for name, kind in KINDS.items()}
        self._values: dict[str, tuple[Growing, Growing]] = {}
        self.events: list[Happened] = []
        self._attempt = 0
        self._last_step: int | None = None

    @property
    def rows(self) -> int:
        return len(self._keys["step"])

    @property
    def names(self) -> Sequence[str]:
        return list(self._values)

    @property
    def steps(self) -> NDArray[np.int64]:
        return self._keys["step"].array

    @property
    def times(self) -> Floats:
        return self._keys["time"].array

    @property
    def attempts(self) -> NDArray[np.int64]:
        return self._keys["attempt"].array

    @property
    def nbytes(self) -> int:
        return self.rows * (24 + 9 * len(self._values))

    def refresh(self, seconds: float = math.inf) -> None:
        until = time.monotonic() + seconds
        while True:
            with self._lock:
                records = next(self._reader.batches(), None)
                for record in records or ():
                    self._add(record)
                late = time.monotonic() > until
                if records is None or late:
                    self.whole = records is None
                    return
            time.sleep(BREATH_SECONDS)

    def read(self, names: Iterable[str]) -> dict[str, Column]:
        with self._lock:
            rows = self.rows
            found = {name: self._values[name] for name in names if name in self._values}
            for values, present in found.values():
                _pad(values, present, rows)
            return {
                name: Column(values.array, present.array)
                for name, (values, present) in found.items()
            }

    def _add(self, record: Record) -> None:
        if NEW_RUN in record.notes and self.rows:
            self._clear()
            self.version += 1
        if self._last_step is not None and record.step < self._last_step:
            self._attempt += 1
        self._last_step = record.step
        row = self._row(record)
        self.events += [
            Happened(record.step, name, text) for name, text in events_of(record).items()
        ]
        for name, value in record.values.items():
            pair = self._values.get(name)
            if pair is None:
                pair = self._values[name] = Growing(np.float64), Growing(np.bool_)
            values, present = pair
            if row == len(values):
                values.append(value)
                present.append(True)
            else:
                _pad(values, present, row + 1)
                values.array[row] = value
                present.array[row] = True

    def _row(self, record: Record) -> int:
        """The row of a record; it is made, and one of an earlier attempt is emptied."""
        steps = self.steps
        row = len(steps)
        if row and record.step <= steps[-1]:
            row = int(np.searchsorted(steps, record.step))
        key = (record.step, record.time, self._attempt)
        if row == len(steps):
            for column, value in zip(self._keys.values(), key, strict=True):
                column.append(value)
            return row
        if steps[row] != record.step:
            for column in self._keys.values():
                column.insert(row, 0)
            for values, present in self._values.values():
                if row < len(values):
                    values.insert(row, np.nan)
                    present.insert(row, False)
        elif self.attempts[row] != self._attempt:
            for _, present in self._values.values():
                if row < len(present):
                    present.array[row] = False
            self.events = [event for event in self.events if event.step != record.step]
        for column, value in zip(self._keys.values(), key, strict=True):
            column.array[row] = value
        self.version += 1
        return row


def _pad(values: Growing, present: Growing, rows: int) -> None:
    """Rows in which the signal was not logged."""
    for _ in range(rows - len(values)):
        values.append(np.nan)
        present.append(False)
