from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.dashboards.columns import Column
from collapse_lab.dashboards.curves import MOST_MARKS, Window, axis_of, curve
from collapse_lab.dashboards.open_columns import OpenColumns
from collapse_lab.records import Record
from collapse_lab.store import RunWriter

pytest.importorskip("tsdownsample")
NAN, INF = math.nan, math.inf


def column(*values: float | None) -> Column:
    """None is a value that was not logged."""
    return Column(
        np.array([NAN if value is None else value for value in values]),
        np.array([value is not None for value in values]),
    )


def steps(count: int) -> np.ndarray:
    return np.arange(float(count))


def test_what_is_no_number_is_marked_where_it_was_and_lifts_the_pen() -> None:
    drawn = curve(steps(6), column(1, NAN, 2, INF, -INF, 3), Window())
    assert drawn.nan.tolist() == [1] and drawn.above.tolist() == [3]
    assert drawn.below.tolist() == [4]
    np.testing.assert_array_equal(drawn.y, [1, NAN, 2, NAN, 3])
    assert drawn.span == (1, 3) and drawn.last == 3


def test_a_value_that_was_logged_before_and_is_not_is_a_gap() -> None:
    drawn = curve(steps(6), column(None, 1, 2, None, 4, 5), Window())
    assert drawn.gaps == [(2, 4)]
    np.testing.assert_array_equal(drawn.x, [1, 2, NAN, 4, 5])


def test_a_signal_that_has_stopped_is_missing_to_the_end() -> None:
    assert curve(steps(6), column(1, 2, 3, None, None, None), Window()).gaps == [(2, 5)]


def test_an_evaluation_every_tenth_step_is_no_gap() -> None:
    values = [float(step) if step % 10 == 0 else None for step in range(95)]
    drawn = curve(steps(95), column(*values), Window())
    assert drawn.gaps == [] and drawn.x.tolist() == list(range(0, 95, 10))


@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=400),
    st.integers(20, 60),
    st.data(),
)
def test_extremes_are_never_lost(values: list[float], points: int, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(values) - 1))
    values[at] = 1e9
    drawn = curve(steps(len(values)), column(*values), Window(points=points))
    assert drawn.x[np.nanargmax(drawn.y)] == values.index(1e9)
    assert np.nanmin(drawn.y) == min(values)
    assert len(drawn.x) <= max(points + 2, 20)


def test_a_zoom_draws_its_part_at_full_resolution() -> None:
    values = np.sin(np.arange(10_000.0))
    whole = Column(values, np.ones(10_000, bool))
    drawn = curve(steps(10_000), whole, Window(low=5000, high=5100, points=500))
    # with one row beyond either end, so that the line leaves the panel
    assert drawn.x.tolist() == list(range(4999, 5102))
    assert drawn.y.tolist() == values[4999:5102].tolist()


def test_smoothing_is_the_exponential_mean_of_the_finite_values() -> None:
    drawn = curve(steps(4), column(0, 1, NAN, 1), Window(smoothing=0.5))
    assert drawn.smooth is not None
    # the mean starts at the first value; NaN does not count: 0, 0.5, then 0.75
    np.testing.assert_allclose(drawn.smooth, [0, 0.5, NAN, 0.75])


def test_a_million_nans_are_some_hundred_marks() -> None:
    drawn = curve(steps(10_000), Column(np.full(10_000, NAN), np.ones(10_000, bool)), Window())
    assert len(drawn.nan) == MOST_MARKS and drawn.span is None
    assert drawn.nan[0] == 0 and drawn.nan[-1] == 9999


def open_run(folder: Path, *records: Record) -> OpenColumns:
    writer = RunWriter(folder)
    for record in records:
        writer.append(record)
    columns = OpenColumns(folder)
    columns.refresh()
    return columns


def test_hours_are_counted_from_the_first_step_and_never_go_back(tmp_path: Path) -> None:
    columns = open_run(
        tmp_path / "run",
        Record(0, 7200.0),
        Record(1, NAN),
        Record(2, 10_800.0),
        Record(3, 9000.0),  # a clock that was set back
    )
    assert axis_of(columns, Window(axis="time")).tolist() == [0, 0, 1, 1]


def test_an_axis_that_is_not_logged_falls_back_to_steps(tmp_path: Path) -> None:
    columns = open_run(tmp_path / "run", Record(5), Record(7))
    assert axis_of(columns, Window(axis="tokens")).tolist() == [5, 7]
    assert axis_of(columns, Window(axis="event", event=6)).tolist() == [-1, 1]
