"""Alarms at random times: chances worked out by hand, and how they must add up."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_lab import scoring
from collapse_lab.scoring import ScoredRun, usual_horizon
from collapse_lab.scoring.poisson import at_least, quiet


def healthy(*alarms: int, length: int = 100) -> ScoredRun:
    return ScoredRun(range(length), alarms)


def collapsed(at: int, *alarms: int, length: int = 100, gradual: bool = False) -> ScoredRun:
    return ScoredRun(range(length), alarms, collapse=at, gradual=gradual)


def test_a_run_of_two_records_alarmed_on_with_three_quarters_has_records_that_toss_a_coin():
    assert quiet([2], 0.75) == pytest.approx(0.5)
    # of one record each run is alarmed on as often as a record is
    assert quiet([1, 1], 0.3) == pytest.approx(0.7)
    # 1 - q and 1 - q^2 have a mean of 0.625 for q = 0.5
    assert quiet([1, 2], 0.625) == pytest.approx(0.5)


def test_a_detector_that_is_silent_or_always_alarms_has_the_like_at_random():
    assert quiet([50, 70], 0) == 1
    assert quiet([50, 70], 1) == 0
    silent = scoring.at_random([healthy(), collapsed(40)], 1, usual_horizon)
    assert (silent.share, silent.as_well) == (0, 1)
    loud = [healthy(0), collapsed(40, 0)]
    assert scoring.at_random(loud, 1, usual_horizon).share == 0  # all first alarms are premature
    assert scoring.premature_at_random(loud).share == 1


@given(
    st.lists(st.integers(1, 3000), min_size=1, max_size=20), st.floats(0, 1, allow_subnormal=False)
)
def test_as_many_healthy_runs_are_alarmed_on_as_was_asked(lengths: list[int], share: float):
    alarmed = 1 - quiet(lengths, share) ** np.asarray(lengths, float)
    assert alarmed.mean() == pytest.approx(share, abs=1e-9)


def test_the_first_alarm_is_early_in_the_horizon_and_late_up_to_ten_records_after():
    q = 0.5 ** (1 / 100)  # half of the healthy runs of a hundred records are alarmed on
    runs = [healthy(5), healthy(), collapsed(40, 35), collapsed(80)]
    early = scoring.at_random(runs, 1, usual_horizon)
    # horizons of 10 and 20: points 30 to 39, and 60 to 79
    assert early.share == pytest.approx((q**30 - q**40 + q**60 - q**80) / 2)
    late = scoring.at_random(runs, -10, usual_horizon)
    assert late.share == pytest.approx((q**30 - q**51 + q**60 - q**91) / 2)
    too_soon = scoring.premature_at_random(runs)
    assert too_soon.share == pytest.approx((1 - q**30 + 1 - q**60) / 2)
    # one of the two was caught: the chance that at least one is at random
    first, second = q**30 - q**40, q**60 - q**80
    assert early.as_well == pytest.approx(1 - (1 - first) * (1 - second))


def test_no_alarm_comes_after_the_last_record_and_a_gradual_collapse_has_no_horizon():
    q = 0.5 ** (1 / 100)
    cut = [healthy(5), healthy(), collapsed(40, length=45)]
    assert scoring.at_random(cut, -10, usual_horizon).share == pytest.approx(q**30 - q**45)
    slow = [healthy(5), healthy(), collapsed(40, gradual=True)]
    assert scoring.at_random(slow, 1, usual_horizon).share == pytest.approx(1 - q**40)
    assert scoring.premature_at_random(slow).share == 0


@given(
    st.lists(st.tuples(st.integers(1, 99), st.booleans()), min_size=1, max_size=6),
    st.integers(0, 5),
)
def test_a_first_alarm_is_premature_or_caught_or_later_or_none(
    collapses: list[tuple[int, bool]], loud: int
):
    runs = [healthy(1) for _ in range(loud)] + [healthy() for _ in range(6 - loud)]
    runs += [collapsed(at, gradual=gradual) for at, gradual in collapses]
    ever = scoring.at_random(runs, -math.inf, usual_horizon).share
    assert ever + scoring.premature_at_random(runs).share == pytest.approx(loud / 6)
    assert 0 <= scoring.at_random(runs, 1, usual_horizon).share <= ever + 1e-12


@given(st.lists(st.floats(0, 1), max_size=8), st.integers(0, 8))
def test_the_tail_is_that_of_all_ways_in_which_the_events_can_happen(
    chances: list[float], hits: int
):
    ways = 0.0
    for which in range(2 ** len(chances)):
        happens = [bool(which >> place & 1) for place in range(len(chances))]
        if sum(happens) >= hits:
            ways += math.prod(p if yes else 1 - p for p, yes in zip(chances, happens, strict=True))
    assert at_least(chances, hits) == pytest.approx(ways)


def test_without_healthy_or_without_collapsed_runs_nothing_is_expected():
    for runs in ([collapsed(40, 35)], [healthy(3)], []):
        for found in (scoring.at_random(runs), scoring.premature_at_random(runs)):
            assert math.isnan(found.share) and math.isnan(found.as_well)
