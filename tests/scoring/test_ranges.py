"""Where a collapse is a range, and for how long an alarm stands, at the boundaries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collapse_lab import scoring
from collapse_lab.scoring import ScoredRun
from collapse_lab.scoring.ranges import anomaly, scored_records, warned


def run(
    *alarms: int, collapse: int | None = None, length: int = 100, gradual: bool = False
) -> ScoredRun:
    return ScoredRun(range(length), alarms, collapse, gradual)


def test_a_range_goes_from_the_horizon_before_the_onset_to_ten_records_after():
    assert anomaly(run(collapse=40)) == range(30, 51)
    assert anomaly(run(collapse=30)) == range(23, 41)  # 22.5 is before the horizon of 7.5
    assert anomaly(run(collapse=1000, length=2000)) == range(900, 1011)
    assert anomaly(run()) is None


def test_a_range_ends_with_the_log_and_that_of_a_slow_decay_begins_with_it():
    assert anomaly(run(collapse=40, length=45)) == range(30, 45)
    assert anomaly(run(collapse=40, gradual=True)) == range(51)


def test_nothing_is_scored_after_a_range_and_all_of_a_healthy_run_is():
    assert scored_records(run(collapse=40)) == 51
    assert scored_records(run()) == 100


@given(st.integers(0, 99), st.lists(st.integers(0, 99), unique=True).map(sorted))
def test_the_first_alarm_is_in_the_range_where_late_recall_counts_it(at: int, alarms: list[int]):
    collapsed = run(*alarms, collapse=at)
    about = anomaly(collapsed)
    assert about is not None
    caught = scoring.late_recall([collapsed]).hits == 1
    assert caught == bool(alarms and alarms[0] in about)


def test_an_alarm_stands_at_its_record_and_while_it_is_within_the_horizon():
    assert warned(run(30)) == [range(30, 41)]  # 40 - 30 is a quarter of 40
    assert warned(run(30, 41)) == [range(30, 55)]  # the second joins on
    assert warned(run(30, 42)) == [range(30, 41), range(42, 57)]
    assert warned(run(500, length=1000)) == [range(500, 601)]
    assert warned(run(90)) == [range(90, 100)]
    assert warned(run()) == []


def test_one_raised_in_the_range_stands_to_its_end_and_one_before_it_does_not():
    assert warned(run(30, collapse=40)) == [range(30, 51)]
    assert warned(run(29, collapse=40)) == [range(29, 39)]  # 38 - 29 is below a quarter of 38
    assert warned(run(50, collapse=40)) == [range(50, 51)]
    assert warned(run(51, collapse=40)) == []


@given(st.lists(st.integers(0, 199), unique=True).map(sorted))
def test_healthy_records_stand_as_in_the_time_in_warning_and_those_of_the_alarms_too(
    alarms: list[int],
):
    healthy = run(*alarms, length=200)
    standing = sum(len(part) for part in warned(healthy))
    fresh = sum(not _warned_of(alarm, alarms) for alarm in alarms)
    assert round(200 * scoring.time_in_warning([healthy])) == standing - fresh


def _warned_of(point: int, alarms: list[int]) -> bool:
    return any(0 < point - alarm <= scoring.usual_horizon(point) for alarm in alarms)
