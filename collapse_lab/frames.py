"""Records as a table, and back: one row a step, one column a signal.

A step that goes back starts the next attempt, and where attempts overlap the last one wins. NaN is
a NaN that was logged, null is a value that was not.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collapse_lab.records import EVENT, NEW_RUN, Record

if TYPE_CHECKING:
    import polars as pl

OWN = "value/"
KEYS = ("step", "time", "attempt", "run", "events")
"""Columns of a run's frame that are no signal; a value of such a name is kept under OWN."""


def to_frame(records: list[Record]) -> pl.DataFrame:
    """`store.RunReader.frame` for records in memory."""
    import polars as pl

    rows: dict[tuple[str, int], dict[str, Any]] = {}
    reached: dict[str, tuple[int, float]] = {}
    run = ""
    for record in records:
        run = record.notes.get(NEW_RUN, run)
        attempt, last = reached.get(run, (0, -math.inf))
        attempt += record.step < last
        reached[run] = attempt, record.step
        row = rows.setdefault((run, record.step), {})
        if row.get("attempt") != attempt:
            row.clear()
        row |= {"step": record.step, "time": record.time, "attempt": attempt}
        row |= {_column(name): value for name, value in record.values.items()}
        if happened := events_of(record):
            row["events"] = json.dumps(json.loads(row.get("events", "{}")) | happened)
        if run:
            row["run"] = run
    ordered = [rows[key] for key in sorted(rows)]
    names = dict.fromkeys(name for row in ordered for name in row)
    kinds = {"step": pl.Int64, "attempt": pl.Int64, "run": pl.String, "events": pl.String}
    columns = {name: kinds.get(name, pl.Float64) for name in ("step", "time", "attempt", *names)}
    return pl.DataFrame(
        {name: [row.get(name) for row in ordered] for name in columns}, schema=columns
    )


def read_frame(path: Path) -> pl.DataFrame:
    """Such a table from its Parquet file. Raises OSError, and ValueError where it is none."""
    import polars as pl

    try:
        return pl.read_parquet(path)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"{path} is no Parquet file ({error})") from error


def from_frame(frame: pl.DataFrame) -> list[Record]:
    """A record a row of such a table; histograms and notes about values are not in it. The first of
    each run says so, also where the record that had said it was replaced by a later attempt."""
    records: list[Record] = []
    last = ""
    for row in frame.drop("attempt").iter_rows(named=True):
        step, time, happened = row.pop("step"), row.pop("time"), row.pop("events", None)
        run = row.pop("run", None) or ""
        notes = json.loads(happened or "{}") | ({NEW_RUN: run} if run != last else {})
        last = run
        values = {name.removeprefix(OWN): value for name, value in row.items() if value is not None}
        records.append(Record(step, time, values, notes=notes))
    return records


def events_of(record: Record) -> dict[str, str]:
    """The record's notes of what happened to the run."""
    return {name: text for name, text in record.notes.items() if name.startswith(EVENT)}


def _column(name: str) -> str:
    """A value that is named like a column of ours gets one of its own."""
    return f"{OWN}{name}" if name in KEYS else name
