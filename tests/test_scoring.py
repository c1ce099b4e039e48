"""Scores are checked against values worked out by hand, at their boundaries first."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from collapse_lab import scoring
from collapse_lab.scoring import ScoredRun, Share


def healthy(*alarms: int, length: int = 100) -> ScoredRun:
    return ScoredRun(range(length), alarms)


def collapsed(at: int, *alarms: int, length: int = 100, every: int = 1) -> ScoredRun:
    return ScoredRun(range(0, length * every, every), alarms, collapse=at)


def test_an_alarm_at_the_collapse_point_is_early_and_one_point_later_is_not():
    assert scoring.recall([collapsed(50, 50)]).value == 1
    assert scoring.recall([collapsed(50, 51)]).value == 0


def test_recall_by_ten_points_after_includes_the_tenth():
    assert scoring.recall([collapsed(50, 60)], lead=-10).value == 1
    assert scoring.recall([collapsed(50, 61)], lead=-10).value == 0


def test_a_first_alarm_beyond_the_horizon_is_premature_and_a_miss():
    runs = [collapsed(50, 24, 45), collapsed(50, 25, 45)]
    assert scoring.recall(runs, horizon=lambda _: 25) == Share(1, 2)
    assert scoring.premature(runs, horizon=lambda _: 25) == Share(1, 2)


def test_rearmed_scoring_forgives_a_premature_alarm():
    assert scoring.recall([collapsed(50, 24, 45)], horizon=lambda _: 25, rearm=True).value == 1


def test_a_run_never_alarmed_on_is_missed_at_any_lead_and_is_not_premature():
    runs = [collapsed(50)]
    assert scoring.recall(runs, lead=-math.inf).value == 0
    assert scoring.premature(runs, horizon=lambda _: 0).value == 0


def test_healthy_false_alarm_counts_runs_not_alarms():
    runs = [healthy(3, 40, 80), healthy(), collapsed(50, 1)]
    assert scoring.healthy_false_alarm(runs) == Share(1, 2)


def test_leads_are_negative_when_late_and_nan_when_never():
    runs = [collapsed(50, 43), collapsed(50, 55), collapsed(50), healthy(1)]
    np.testing.assert_array_equal(scoring.leads(runs), [7, -5, math.nan])


def test_leads_in_steps_use_the_steps_that_were_logged():
    assert scoring.leads([collapsed(22, 20, length=40, every=5)], "steps").tolist() == [10]


def test_the_early_median_leaves_misses_out_and_the_honest_ones_count_them_as_zero():
    runs = [collapsed(50, 40), collapsed(50, 30), collapsed(50, 60), collapsed(50)]
    assert scoring.median_early_lead(runs) == 15
    assert scoring.median_lead(runs) == 5
    assert scoring.expected_lead(runs) == 7.5


def test_a_lead_of_zero_is_early():
    assert scoring.median_early_lead([collapsed(50, 50)]) == 0


def test_the_lead_recall_curve_falls_with_the_lead():
    curve = scoring.lead_recall([collapsed(50, 40), collapsed(50, 55)], leads=(20, 10, 0, -5))
    assert [share.hits for share in curve.values()] == [0, 1, 1, 2]


def test_false_alarms_within_the_refractory_count_once():
    assert scoring.false_alarms_per_thousand([healthy(10, 29)], refractory=20) == 10
    assert scoring.false_alarms_per_thousand([healthy(10, 30)], refractory=20) == 20


def test_points_of_a_collapsed_run_before_its_horizon_are_healthy_points():
    run = collapsed(60, 10, 55)
    assert scoring.false_alarms_per_thousand([run]) == pytest.approx(1000 / 45)
    assert scoring.false_alarms_per_thousand([run], horizon=lambda _: 10) == pytest.approx(
        1000 / 50
    )
    assert math.isnan(scoring.false_alarms_per_thousand([run], horizon=lambda _: 60))


def test_luck_is_what_healthy_runs_show_by_the_same_points():
    runs = [healthy(20), healthy(80), healthy(), healthy(), collapsed(20), collapsed(90)]
    assert scoring.recall_by_luck(runs) == (0.25 + 0.5) / 2
    assert scoring.recall_by_luck(runs, lead=1) == (0 + 0.5) / 2


def test_always_alarming_is_no_better_than_luck():
    runs = [healthy(0), healthy(0), collapsed(50, 0)]
    assert scoring.recall(runs).value == scoring.recall_by_luck(runs) == 1


def test_compute_saved_is_what_remains_after_the_record_of_the_first_alarm():
    assert scoring.compute_saved([collapsed(50, 39), collapsed(50)]) == pytest.approx(0.3)
    assert scoring.compute_saved([collapsed(50, 99)]) == 0


def test_nothing_to_judge_is_nan_not_zero():
    assert math.isnan(scoring.healthy_false_alarm([]).value)
    assert math.isnan(scoring.recall([healthy(1)]).value)
    assert math.isnan(scoring.median_lead([]))
    assert math.isnan(scoring.expected_lead([]))
    assert math.isnan(scoring.median_early_lead([collapsed(50, 60)]))
    assert math.isnan(scoring.false_alarms_per_thousand([]))
    assert math.isnan(scoring.recall_by_luck([collapsed(5)]))
    assert math.isnan(scoring.compute_saved([healthy()]))
    assert math.isnan(scoring.precision(0, 0, 0.5))
    assert all(math.isnan(bound) for bound in (*Share(0, 0).interval, Share(0, 0).upper()))


def test_precision_at_ten_percent_prevalence():
    assert scoring.precision(recall=0.8, false_alarm=0.2, prevalence=0.1) == pytest.approx(
        0.08 / 0.26
    )


def test_wilson_interval_of_seven_in_ten():
    low, high = scoring.wilson(21, 30)
    assert (low, high) == (pytest.approx(0.521, abs=5e-4), pytest.approx(0.833, abs=5e-4))


def test_twenty_nine_healthy_runs_without_alarm_certify_ten_percent_and_twenty_eight_do_not():
    assert scoring.upper_bound(0, 29) < 0.10 < scoring.upper_bound(0, 28)


@given(st.integers(1, 400).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_exact_bounds_agree_with_the_beta_quantiles(counts: tuple[int, int]):
    hits, of = counts
    low, high = scoring.clopper_pearson(hits, of)
    expected_low = stats.beta.ppf(0.025, hits, of - hits + 1) if hits else 0.0
    expected_high = stats.beta.ppf(0.975, hits + 1, of - hits) if hits < of else 1.0
    assert low == pytest.approx(expected_low, abs=1e-7)
    assert high == pytest.approx(expected_high, abs=1e-7)


@given(st.integers(1, 400).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_wilson_holds_the_share_and_stays_in_the_unit_interval(counts: tuple[int, int]):
    low, high = scoring.wilson(*counts)
    assert 0 <= low <= counts[0] / counts[1] + 1e-12
    assert counts[0] / counts[1] - 1e-12 <= high <= 1


def test_a_step_is_found_at_or_after_itself():
    assert scoring.point_of([5, 10, 15], 10) == 1
    assert scoring.point_of([5, 10, 15], 11) == 2
    assert scoring.point_of([5, 10, 15], 99) == 2


def test_in_a_resumed_run_the_last_attempt_counts():
    assert scoring.point_of([1, 2, 3, 2, 3, 4], 3) == 4
    assert scoring.point_of([1, 2, 3, 2, 3, 4], 1) == 0
