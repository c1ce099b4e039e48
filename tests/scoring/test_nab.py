"""The NAB score against values worked out by hand, and its two fixed points."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.scoring import ScoredRun, anomaly, nab_score
from collapse_lab.scoring.nab import earned, raw


def run(*alarms: int, collapse: int | None = None) -> ScoredRun:
    return ScoredRun(range(100), alarms, collapse)


runs = st.lists(
    st.builds(
        lambda alarms, collapse: run(*sorted(alarms), collapse=collapse),
        st.sets(st.integers(0, 99)),
        st.none() | st.integers(0, 99),
    ),
    min_size=1,
).filter(lambda some: any(one.collapse is not None for one in some))


@given(runs)
def test_never_to_alarm_has_nothing_and_the_first_record_of_each_range_alone_has_a_hundred(
    some: list[ScoredRun],
):
    assert nab_score([run(collapse=one.collapse) for one in some]) == pytest.approx(0)
    perfect = [
        run(*[about.start] if (about := anomaly(one)) else [], collapse=one.collapse)
        for one in some
    ]
    assert nab_score(perfect) == pytest.approx(100)


@given(runs)
def test_nothing_beats_the_perfect_detector(some: list[ScoredRun]):
    assert nab_score(some) <= 100 + 1e-9


def test_the_benchmarks_own_examples_of_places_in_a_window():
    # S(-1) = 0.98661 and S(-0.5) = 0.84828, as its scorer documents
    assert earned(0, range(10)) == 1
    assert earned(5, range(10)) == pytest.approx(0.84828 / 0.98661, abs=1e-5)
    assert earned(9, range(10)) == pytest.approx(math.tanh(0.25) / math.tanh(2.5))


def test_only_the_first_alarm_in_a_range_counts_and_each_one_outside_costs():
    first = earned(35, range(30, 51))
    assert raw(run(35, collapse=40)) == first
    assert raw(run(35, 36, 50, collapse=40)) == first
    assert raw(run(10, 29, 35, collapse=40)) == pytest.approx(first - 0.22)
    assert raw(run(10, collapse=40)) == pytest.approx(-1.11)
    assert raw(run(51, 99, collapse=40)) == -1  # too late: a miss, and not scored besides
    assert raw(run(51, 99)) == -0.22


def test_a_corpus_of_one_hit_one_miss_and_a_false_alarm():
    # (1 - 1 - 0.11 + 2) / 4
    assert nab_score([run(30, collapse=40), run(collapse=40), run(7)]) == pytest.approx(47.25)


def test_false_alarms_go_on_costing_and_without_a_collapse_there_is_no_score():
    assert nab_score([run(collapse=40), run(*range(100))]) == pytest.approx(-550)
    assert math.isnan(nab_score([run(7)]))
