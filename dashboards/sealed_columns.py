"""A finished run as columns: its Parquet is read by column."""

from __future__ import annotations

import json
import math
import threading
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from collapse_lab.dashboards.columns import Column, Floats, Happened
from collapse_lab.frames import KEYS

if TYPE_CHECKING:
    import polars as pl


class SealedColumns:
    """Only the columns that somebody asked for are read."""

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
