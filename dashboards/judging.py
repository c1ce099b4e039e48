"""Runs that nobody watched are judged afterwards, in a process of its own: pages stay quick."""

from __future__ import annotations

import atexit
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

from collapse_lab.dashboards.root import meta_of
from collapse_lab.frames import from_frame
from collapse_lab.records import Alarm, Record
from collapse_lab.store import SEALED, records_of


class Judge:
    """Calls `judge` in one patient process, started at the first call and after it was killed.

    Raises ChildProcessError when it is killed, as for memory, and what `judge` raises.
    """

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def __call__(self, folder: Path) -> list[Alarm]:
        if self._pool is None:
            spawn = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, spawn, initializer=os.nice, initargs=(15,))
            atexit.register(self._pool.shutdown, wait=False, cancel_futures=True)
        try:
            return self._pool.submit(judge, folder).result()
        except BrokenProcessPool:
            self._pool = None
            raise ChildProcessError("the process that judged it was killed") from None


def judge(folder: Path) -> list[Alarm]:
    """The alarms that `collapse-lab replay` would raise on a run folder."""
    from collapse_lab.watch import detect
    from collapse_lab.watch.afterwards import panel_for

    judged = detect(records_of(folder), partial(panel_for, meta_of(folder)))
    return [alarm for _, alarms in judged for alarm in alarms]


def sealed_records(folder: Path, most: int | None = None) -> list[Record]:
    """The first `most` records of a sealed run; [] for one that has neither lines nor Parquet."""
    import polars as pl

    if not (folder / SEALED).exists():
        return []
    frame = pl.scan_parquet(folder / SEALED)
    return from_frame((frame if most is None else frame.head(most)).collect())
