"""Columns of open and sealed runs agree with `frames.to_frame`, whatever the records were."""

from __future__ import annotations

import math
import threading
from pathlib import Path

import numpy as np
import polars as pl  # here, so that no example is timed with its import
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collapse_lab.dashboards.columns import Columns, Happened
from collapse_lab.dashboards.library import Library
from collapse_lab.dashboards.open_columns import OpenColumns
from collapse_lab.dashboards.sealed_columns import SealedColumns
from collapse_lab.frames import to_frame
from collapse_lab.records import CHECKPOINT, RESTART, Record
from collapse_lab.store import SEALED, RunWriter

NUMBERS = st.floats(width=16, allow_nan=True, allow_infinity=True)
RECORDS = st.lists(
    st.builds(
        Record,
        step=st.integers(0, 12),
        time=st.floats(0, 100),
        values=st.dictionaries(st.sampled_from(["a", "b", "c"]), NUMBERS, max_size=3),
    ),
    max_size=25,
)


def shown(columns: Columns) -> dict[str, list[float | None]]:
    """Every column as a list, None where nothing was logged."""
    columns.refresh()
    return {
        name: [float(v) if p else None for v, p in zip(c.values, c.present, strict=True)]
        for name, c in columns.read(columns.names).items()
    }


@settings(deadline=None)  # files are written, on machines that are busy
@given(RECORDS, st.integers(0, 25))
def test_an_open_run_read_in_pieces_equals_its_frame(
    tmp_path_factory: pytest.TempPathFactory, records: list[Record], cut: int
) -> None:
    folder = tmp_path_factory.mktemp("run") / "run"
    writer = RunWriter(folder)
    columns = OpenColumns(folder)
    for record in records[:cut]:
        writer.append(record)
    columns.refresh()
    for record in records[cut:]:
        writer.append(record)
    found = shown(columns)
    frame: pl.DataFrame = to_frame(records)
    assert columns.steps.tolist() == frame["step"].to_list()
    assert columns.attempts.tolist() == frame["attempt"].to_list()
    for name in frame.columns[3:]:
        np.testing.assert_equal(found[name], frame[name].to_list())


@settings(deadline=None)
@given(RECORDS)
def test_a_sealed_run_equals_the_open_one(
    tmp_path_factory: pytest.TempPathFactory, records: list[Record]
) -> None:
    folder = tmp_path_factory.mktemp("run") / "run"
    writer = RunWriter(folder)
    for record in records:
        writer.append(record)
    before = shown(OpenColumns(folder))
    writer.finish()
    after = shown(SealedColumns(folder / SEALED))
    # a signal whose every value an overlapping attempt replaced is gone from the seal
    kept = {name: values for name, values in before.items() if name in after}
    np.testing.assert_equal(after, kept)


def test_a_restart_rewrites_rows_and_says_so(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run")
    columns = OpenColumns(tmp_path / "run")
    for step in range(4):
        writer.append(Record(step, values={"a": step, "old": 1.0}))
    columns.refresh()
    version = columns.version
    writer.append(Record(2, values={"a": 20.0}))
    assert shown(columns) == {"a": [0, 1, 20, 3], "old": [1, 1, None, 1]}
    assert columns.attempts.tolist() == [0, 0, 1, 0]
    assert columns.version != version


def test_what_happened_to_a_run_is_told_before_and_after_its_seal(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run")
    columns = OpenColumns(tmp_path / "run")
    writer.append(Record(1, values={"a": 1.0}, notes={CHECKPOINT: "step-1", "a": "measured late"}))
    writer.append(Record(2, values={"a": 1.0}, notes={CHECKPOINT: "step-2"}))
    writer.append(Record(3, values={"a": 1.0}))
    writer.append(Record(2, values={"a": 1.0}, notes={RESTART: "from step 1"}))
    columns.refresh()
    told = [Happened(1, CHECKPOINT, "step-1"), Happened(2, RESTART, "from step 1")]
    assert columns.events == told
    writer.finish()
    sealed = SealedColumns(tmp_path / "run" / SEALED)
    assert sealed.events == told and list(sealed.names) == ["a"]


def test_a_long_open_run_is_read_a_part_at_a_time(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run")
    for step in range(9):  # two lines are more than is read at once
        writer.append(Record(step, values={"a": float(step)}, notes={"a": "x" * (2 << 20)}))
    columns = OpenColumns(tmp_path / "run")
    seen: list[int] = []
    while not columns.whole:
        columns.refresh(0.0)
        seen.append(columns.rows)
    assert len(seen) > 3 and seen == sorted(seen)
    assert columns.read(["a"])["a"].values.tolist() == list(range(9))


def test_who_reads_a_long_open_run_at_once_with_others_shares_the_work(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run")
    for step in range(9):
        writer.append(Record(step, values={"a": float(step)}, notes={"a": "x" * (2 << 20)}))
    columns = OpenColumns(tmp_path / "run")
    others = [threading.Thread(target=columns.refresh) for _ in range(3)]
    for other in others:
        other.start()
    while not columns.whole:
        columns.refresh(0.0)
        rows = columns.rows
        assert columns.read(["a"])["a"].values[:rows].tolist() == list(range(rows))
    for other in others:
        other.join()
    assert columns.steps.tolist() == list(range(9)) and columns.version == 0


def test_only_the_columns_asked_for_are_read_and_the_longest_unused_go(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run")
    for step in range(1000):
        writer.append(Record(step, values={"a": 1.0, "b": 2.0, "c": math.nan}))
    writer.finish()
    room_for_two = 1000 * (24 + 2 * 9)
    library = Library(most_bytes=room_for_two)
    for name in "abc":
        library.columns(tmp_path / "run").read([name])
    held = library.columns(tmp_path / "run")
    assert library.nbytes <= room_for_two
    assert math.isnan(held.read(["c"])["c"].values[0])


def test_the_library_follows_a_run_into_its_seal_and_forgets_one_that_is_gone(
    tmp_path: Path,
) -> None:
    library = Library()
    writer = RunWriter(tmp_path / "run")
    writer.append(Record(0, values={"a": 1.0}))
    assert library.columns(tmp_path / "run").live
    writer.append(Record(1, values={"a": 2.0}))
    assert library.columns(tmp_path / "run").rows == 2
    writer.finish()
    assert not library.columns(tmp_path / "run").live
    for path in (tmp_path / "run").iterdir():
        path.unlink()
    (tmp_path / "run").rmdir()
    with pytest.raises(FileNotFoundError):
        library.columns(tmp_path / "run")
