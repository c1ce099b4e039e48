"""One run as columns: sealed Parquet is read by column, an open run grows by the reader's cursor.

A step that goes back is a restart, and where attempts overlap the last one counts, as in
`store.to_frame`. NaN, infinities and missing are kept apart.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from collapse_lab.records import NEW_RUN, Record
from collapse_lab.store import KEYS, RunReader, events_of

if TYPE_CHECKING:
    import polars as pl

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Column:
    """One signal over the rows of a run; where `present` is False nothing was logged."""

    values: Floats
    present: NDArray[np.bool_]

    @property
    def finite(self) -> NDArray[np.bool_]:
        return self.present & np.isfinite(self.values)


@dataclass(frozen=True, slots=True)
class Happened:
    """A note of a record about the run: `name` is one such as `records.RESTART`."""

    step: int
    name: str
    text: str


class Columns(Protocol):
    """The rows of one run, in the order of their steps.

    `version` changes when rows that were there have changed, as after a restart.
    """

    @property
    def rows(self) -> int: ...
    @property
    def version(self) -> int: ...
    @property
    def live(self) -> bool: ...
    @property
    def whole(self) -> bool:
        """Whether all that has been written was read by the last `refresh`."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """The signals that it logs, in the order of their first appearance."""
        ...

    @property
    def steps(self) -> NDArray[np.int64]: ...
    @property
    def times(self) -> Floats:
        """Unix seconds; NaN where the log does not tell."""
        ...

    @property
    def attempts(self) -> NDArray[np.int64]: ...
    @property
    def events(self) -> Sequence[Happened]:
        """What happened to the run, as its records note it."""
        ...

    @property
    def nbytes(self) -> int: ...

    def refresh(self, seconds: float = math.inf) -> None:
        """Takes in what has been written since; of much, what can be read in about so long."""
        ...

    def read(self, names: Iterable[str]) -> dict[str, Column]:
        """Columns by name; a name that the run does not log is left out."""
        ...


class SealedColumns:
    """The Parquet of a finished run: only the columns that somebody asked for are read."""

    live, whole = False, True
    version = -1

    def __init__(self, path: Path) -> None:
        import polars as pl

        self._path = path
        schema = pl.read_parquet_schema(path)
        self.names = [name for name in schema if name not in KEYS]
        keys = pl.read_parquet(path, columns=[name for name in KEYS if name in schema])
        self._last: pl.Series | None = None
        if "run" in schema:  # several runs in one log: the last one is drawn
            latest = keys.sort("time", nulls_last=False)["run"].last()
            self._last = keys["run"].eq_missing(latest)
            keys = keys.filter(self._last)
        self.steps: NDArray[np.int64] = keys["step"].to_numpy()
        self.times: Floats = keys["time"].fill_null(float("nan")).to_numpy()
        self.attempts: NDArray[np.int64] = keys["attempt"].to_numpy()
        self.events: list[Happened] = []
        if "events" in schema:
            noted = keys.select("step", "events").drop_nulls()
            self.events = [
                Happened(step, name, text)
                for step, told in noted.iter_rows()
                for name, text in json.loads(told).items()
            ]
        self._columns: OrderedDict[str, Column] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def rows(self) -> int:
        return len(self.steps)

    @property
    def nbytes(self) -> int:
        return self.rows * (24 + 9 * len(self._columns))

    def refresh(self, seconds: float = math.inf) -> None:
        pass

    def read(self, names: Iterable[str]) -> dict[str, Column]:
        import polars as pl

        known = set(self.names)
        wanted = [name for name in names if name in known]
        with self._lock:
            missing = [name for name in wanted if name not in self._columns]
            if missing:
                frame = pl.read_parquet(self._path, columns=missing)
                if self._last is not None:
                    frame = frame.filter(self._last)
                for name in missing:
                    series = frame[name].cast(pl.Float64)
                    self._columns[name] = Column(
                        series.fill_null(float("nan")).to_numpy(), series.is_not_null().to_numpy()
                    )
            for name in wanted:
                self._columns.move_to_end(name)
            return {name: self._columns[name] for name in wanted}

    def forget(self, nbytes: int) -> None:
        """Lets the columns go that were read the longest ago, until that much is free."""
        with self._lock:
            for name in list(self._columns)[: -(-nbytes // max(9 * self.rows, 1))]:
                del self._columns[name]


class OpenColumns:
    """A run that is being written, or whose writer has died."""

    live = True

    def __init__(self, folder: Path) -> None:
        self.whole = False
        self._reader = RunReader(folder)
        self._lock = threading.Lock()
        self._clear()
        self.version = 0

    def _clear(self) -> None:
        self._keys = {name: Growing(kind) for name, kind in _KINDS.items()}
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
        with self._lock:
            self.whole = False
            for records in self._reader.batches():
                for record in records:
                    self._add(record)
                if time.monotonic() > until:
                    return
            self.whole = True

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


class Growing:
    """An array that is appended to; its buffer doubles."""

    def __init__(self, kind: Any) -> None:
        self._buffer: NDArray[Any] = np.zeros(256, kind)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def array(self) -> NDArray[Any]:
        """What is in it, not copied."""
        return self._buffer[: self._count]

    def append(self, value: Any) -> None:
        if self._count == len(self._buffer):
            self._buffer = np.concatenate([self._buffer, np.zeros_like(self._buffer)])
        self._buffer[self._count] = value
        self._count += 1

    def insert(self, row: int, value: Any) -> None:
        self.append(value)
        self._buffer[row + 1 : self._count] = self._buffer[row : self._count - 1].copy()
        self._buffer[row] = value


_KINDS: dict[str, Any] = {"step": np.int64, "time": np.float64, "attempt": np.int64}


def _pad(values: Growing, present: Growing, rows: int) -> None:
    """Rows in which the signal was not logged."""
    for _ in range(rows - len(values)):
        values.append(np.nan)
        present.append(False)
