"""What a detector is worth: worked out by hand, at its boundaries."""

from __future__ import annotations

import math

import pytest

from collapse_lab import scoring
from collapse_lab.scoring import ScoredRun


def healthy(*alarms: int, length: int = 100) -> ScoredRun:
    return ScoredRun(range(length), alarms)


def test_a_perfect_detector_avoids_all_of_the_cost_and_silence_none():
    for ratio in scoring.COST_RATIOS:
        assert scoring.net_benefit(1, 0, 0, 0.1, ratio) == 1
        assert scoring.net_benefit(0, 0, 0, 0.1, ratio) == 0


def test_false_alarms_are_paid_as_often_as_there_are_healthy_runs():
    # of ten runs one collapses; nine are alarmed on at a tenth of its cost each
    assert scoring.net_benefit(1, 0, 1, 0.1, 0.1) == pytest.approx(1 - 0.9)
    assert scoring.net_benefit(1, 0, 1, 0.1, 1) == pytest.approx(-8)


def test_a_premature_alarm_is_a_miss_that_is_also_paid_for():
    assert scoring.net_benefit(0.5, 0.5, 0, 0.3, 0.2) == pytest.approx(0.4)


def test_a_premature_alarm_is_as_wrong_as_one_in_a_healthy_run():
    # of ten runs four collapse, two told of in time, one too soon; of six healthy ones three are
    assert scoring.precision(2 / 4, 1 / 4, 3 / 6, prevalence=0.4) == pytest.approx(2 / 6)


def test_no_runs_no_benefit():
    assert math.isnan(scoring.net_benefit(math.nan, 0, 0, 0.1, 1))


def test_a_warning_lasts_as_long_as_a_collapse_would_count_as_foreseen():
    # an alarm at 30 foresees an onset p when p - 30 <= p / 4: 31 to 40, ten of hundred points
    assert scoring.time_in_warning([healthy(30)]) == 0.1
    # at 600 the horizon is its most, hundred points
    assert scoring.time_in_warning([healthy(600, length=1000)]) == 0.1


def test_warnings_that_overlap_count_once_and_the_record_of_an_alarm_is_not_warned_of():
    assert scoring.time_in_warning([healthy(30, 30, 33)]) == (44 - 30) / 100
    assert scoring.time_in_warning([healthy(99)]) == 0
    assert scoring.time_in_warning([healthy()]) == 0


def test_of_a_collapsed_run_only_the_points_before_its_horizon_are_healthy():
    run = ScoredRun(range(100), (30,), collapse=48)  # healthy until 36
    assert scoring.time_in_warning([run]) == 5 / 36
    assert math.isnan(scoring.time_in_warning([ScoredRun(range(9), (), 8, gradual=True)]))


def test_always_alarming_is_in_warning_from_where_the_horizon_reaches_back_one_record():
    # a quarter of the run so far is less than a record at points 0 to 3
    assert scoring.time_in_warning([healthy(*range(100))]) == 0.96


def test_rearmed_scoring_of_random_collapses_is_the_time_in_warning():
    alarms = (10, 41, 44, 90)
    caught = [
        scoring.early_recall([ScoredRun(range(100), alarms, point)], rearm=True).hits
        for point in range(100)
    ]
    assert scoring.time_in_warning([healthy(*alarms)]) == sum(caught) / 100


def test_rearmed_early_recall_forgives_a_premature_alarm_and_keeps_the_horizon():
    run = ScoredRun(range(100), (5, 35), collapse=40)
    assert scoring.early_recall([run]).hits == 0
    assert scoring.early_recall([run], rearm=True).hits == 1
    assert scoring.late_recall([run], rearm=True).hits == 1
    late = ScoredRun(range(100), (5, 51), collapse=40)
    assert scoring.late_recall([late], 10, rearm=True).hits == 0
