"""Runs that nobody watched are judged afterwards, in a process of its own: pages stay quick."""

from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

from collapse_lab.dashboards.aside import KILLED, Aside
from collapse_lab.dashboards.root import meta_of
from collapse_lab.frames import from_frame
from collapse_lab.records import Alarm, Record
from collapse_lab.store import SEALED, records_of


class Judge:
    """Calls `judge` aside. Raises ChildProcessError when that process is killed, and what `judge`
    raises."""

    def __init__(self) -> None:
        self._aside = Aside(niceness=15)

    def __call__(self, folder: Path) -> list[Alarm]:
        try:
            return self._aside.submit(judge, folder).result()
        except BrokenProcessPool:
            raise ChildProcessError(KILLED) from None


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
