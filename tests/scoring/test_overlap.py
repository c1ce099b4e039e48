"""Range-based precision and recall against values worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.scoring import ScoredRun, range_precision, range_recall
from collapse_lab.scoring.overlap import flat, front, overlap


def run(*alarms: int, collapse: int | None = None) -> ScoredRun:
    return ScoredRun(range(100), alarms, collapse)


def test_a_range_of_four_records_by_hand():
    of = range(10, 14)
    assert overlap(of, [range(10, 11)], front) == pytest.approx(0.4)
    assert overlap(of, [range(13, 14)], front) == pytest.approx(0.1)
    assert overlap(of, [range(13, 14)], flat) == 0.25
    assert overlap(of, [range(0, 10), range(14, 20)], front) == 0


def test_what_is_told_in_two_pieces_earns_half():
    of = range(10, 14)
    assert overlap(of, [range(0, 11), range(12, 20)], front) == pytest.approx((0.4 + 0.3) / 2)


ranges = st.tuples(st.integers(0, 50), st.integers(1, 50)).map(
    lambda ends: range(ends[0], sum(ends))
)


@given(ranges, st.integers(0, 9), st.integers(0, 9))
def test_a_range_that_is_covered_has_earned_all_of_it(of: range, before: int, after: int):
    cover = [range(of.start - before, of.stop + after)]
    assert overlap(of, cover, front) == pytest.approx(1)
    assert overlap(of, cover, flat) == pytest.approx(1)


@given(ranges, st.data())
def test_an_early_piece_is_worth_more_than_a_late_one_as_long(of: range, data: st.DataObject):
    length = data.draw(st.integers(1, len(of)))
    early, late = sorted(data.draw(st.integers(of.start, of.stop - length)) for _ in range(2))
    first, second = (overlap(of, [range(at, at + length)], front) for at in (early, late))
    assert first > second if early < late else first == second


def test_recall_is_the_mean_over_collapses_and_the_earlier_alarm_has_more_of_it():
    assert range_recall([run(30, collapse=40), run(collapse=40), run(5)]) == 0.5
    # of 21 records 16 are covered from 35 on: 16 * 17 / 2 of 21 * 22 / 2
    assert range_recall([run(35, collapse=40)]) == pytest.approx(136 / 231)
    assert range_recall([run(50, collapse=40)]) == pytest.approx(1 / 231)
    assert range_recall([run(51, collapse=40)]) == 0


def test_what_still_stands_of_a_premature_alarm_covers_the_front_of_the_range():
    # 29 stands up to 38: the first nine of 21 records
    assert range_recall([run(29, collapse=40)]) == pytest.approx((231 - 78) / 231)


def test_precision_is_the_mean_over_standing_alarms_and_no_place_in_them_is_better():
    assert range_precision([run(35, collapse=40)]) == 1
    assert range_precision([run(29, collapse=40)]) == pytest.approx(0.9)  # 29 to 38, less 29
    assert range_precision([run(35, collapse=40), run(10), run(10, 90)]) == 0.25
    assert range_precision([run(3, 35, collapse=40)]) == 0.5


def test_what_never_alarms_has_no_precision_and_without_collapses_there_is_no_recall():
    assert math.isnan(range_precision([run(), run(collapse=40)]))
    assert range_recall([run(collapse=40)]) == 0
    assert math.isnan(range_recall([run(5)]))


def test_to_alarm_always_covers_every_collapse_and_is_as_precise_as_collapses_are_common():
    runs = [run(*range(100)), run(*range(100), collapse=40)]
    assert range_recall(runs) == pytest.approx(1)
    assert range_precision(runs) == pytest.approx((0 + 21 / 51) / 2)
