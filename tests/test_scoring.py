"""Scores are checked against values worked out by hand, at their boundaries first."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from collapse_lab import scoring
from collapse_lab.scoring import ScoredRun, Share, chance
from collapse_lab.scoring.resampling import bootstrap, interval, jackknife, later, leave_one_out


def healthy(*alarms: int, length: int = 100) -> ScoredRun:
    return ScoredRun(range(length), alarms)


def collapsed(
    at: int, *alarms: int, length: int = 100, every: int = 1, gradual: bool = False
) -> ScoredRun:
    return ScoredRun(range(0, length * every, every), alarms, collapse=at, gradual=gradual)


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
    assert math.isnan(scoring.precision(0, 0, 0, 0.5))
    assert all(math.isnan(bound) for bound in (*Share(0, 0).interval, Share(0, 0).upper()))


def test_precision_at_ten_percent_prevalence():
    assert scoring.precision(0.8, 0.0, 0.2, prevalence=0.1) == pytest.approx(0.08 / 0.26)


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


def test_early_is_from_the_horizon_on_and_strictly_before_the_onset():
    # a quarter of 40 is a horizon of 10
    for alarm, caught in ((29, 0), (30, 1), (39, 1), (40, 0)):
        assert scoring.early_recall([collapsed(40, alarm)]) == Share(caught, 1)
    assert scoring.early_recall([collapsed(800, 699, length=900)]).hits == 0
    assert scoring.early_recall([collapsed(800, 700, length=900)]).hits == 1


def test_recall_by_ten_after_the_onset_keeps_the_horizon():
    for alarm, caught in ((29, 0), (30, 1), (50, 1), (51, 0)):
        assert scoring.late_recall([collapsed(40, alarm)]) == Share(caught, 1)


def test_a_gradual_collapse_is_caught_by_any_earlier_alarm_and_has_no_lead():
    run = collapsed(80, 3, gradual=True)
    assert scoring.early_recall([run]) == Share(1, 1)
    assert scoring.premature([run]) == Share(0, 1)
    assert scoring.leads([run]).size == 0
    assert math.isnan(scoring.expected_lead([run]))
    assert math.isnan(scoring.false_alarms_per_thousand([run]))


def test_a_premature_alarm_has_no_lead_within_the_horizon():
    runs = [collapsed(40, 2), collapsed(40, 34)]
    assert scoring.expected_lead(runs) == (38 + 6) / 2
    assert scoring.expected_lead(runs, horizon=scoring.usual_horizon) == 3
    assert scoring.early_leads(runs, least=1, horizon=scoring.usual_horizon) == (6, 6, 6)


def test_quartiles_of_the_early_leads():
    runs = [collapsed(80, 80 - lead) for lead in (2, 4, 6, 8, 10)]
    assert scoring.early_leads(runs) == (4, 6, 8)


def test_compute_lost_is_what_a_healthy_run_had_left():
    assert scoring.compute_lost([healthy(24), healthy(), collapsed(50, 1)]) == 0.375
    assert math.isnan(scoring.compute_lost([collapsed(50, 1)]))


def test_always_is_premature_never_is_silent_and_the_clock_strikes_every_period():
    runs = [healthy(length=300), collapsed(40)]
    assert chance.never(healthy(3)).alarms == ()
    assert scoring.premature([chance.always(run) for run in runs]) == Share(1, 1)
    assert list(chance.periodic(runs[0]).alarms) == [99, 199, 299]
    assert list(chance.periodic(healthy(length=99)).alarms) == []


def test_delayed_alarms_score_worse_and_those_beyond_the_end_are_lost():
    run = collapsed(40, 35, 95)
    assert chance.delayed(run, 10).alarms == (45,)
    assert scoring.early_recall([run]).hits > scoring.early_recall([chance.delayed(run, 10)]).hits


def test_dealt_alarms_are_the_same_alarms_in_other_runs():
    runs = [healthy(5), healthy(99), collapsed(8, length=50)]
    deals = list(chance.dealt(runs, deals=60))
    kept = {tuple(sorted(tuple(run.alarms) for run in deal)) for deal in deals}
    assert kept == {((), (5,), (99,)), ((), (), (5,))}  # 99 is beyond the end of the short run


def test_chance_recall_is_the_share_of_runs_that_alarm_in_the_window():
    # two runs, one alarm in the window: dealt to the right one half of the time
    runs = [collapsed(40, 35), healthy()]
    mean, as_well = chance.by_chance(runs, lambda r: scoring.early_recall(r).value, deals=2000)
    assert mean == pytest.approx(0.5, abs=0.04)
    assert as_well == pytest.approx(0.5, abs=0.04)
    silent = [collapsed(40), healthy()]
    assert chance.by_chance(silent, lambda r: scoring.early_recall(r).value, 10) == (0, 1)
    nobody = chance.by_chance([healthy()], lambda r: scoring.early_recall(r).value, 10)
    assert all(math.isnan(part) for part in nobody)


def test_leave_one_out_never_lets_a_kind_straddle():
    splits = list(leave_one_out(["grpo", "sapo", "grpo"]))
    assert splits == [("grpo", [1], [0, 2]), ("sapo", [0, 2], [1])]
    assert list(leave_one_out([])) == []


def test_later_runs_are_judged_by_those_made_before_them():
    splits = list(later([30.0, 10.0, 40.0, math.nan, 20.0], parts=2))
    assert splits == [("part 2 of 2", [1, 4], [0, 2])]
    quarters = list(later([4.0, 3.0, 2.0, 1.0]))
    assert quarters == [
        ("part 2 of 4", [3], [2]),
        ("part 3 of 4", [2, 3], [1]),
        ("part 4 of 4", [1, 2, 3], [0]),
    ]
    assert list(later([])) == list(later([math.nan])) == []


def test_runs_of_one_moment_are_all_earlier_or_all_later():
    assert list(later([1.0, 2.0, 2.0, 2.0], parts=2)) == [("part 2 of 2", [0], [1, 2, 3])]


@given(st.lists(st.integers(0, 9).map(float) | st.just(math.nan), max_size=20))
def test_no_run_is_judged_twice_or_by_one_made_as_late(times: list[float]):
    seen: list[int] = []
    for _, rest, held in later(times):
        assert held and all(times[i] < times[j] for i in rest for j in held)
        seen += held
    assert len(seen) == len(set(seen))


def test_resampled_groups_are_wider_than_resampled_runs():
    # ten groups that agree within: as many runs as hundred, as much to know as ten
    values = np.repeat([0.0, 1.0] * 5, 10)[:, None]
    together = [str(index // 10) for index in range(100)]
    apart = [str(index) for index in range(100)]
    low, high = interval(bootstrap(values, together)[:, 0])
    assert (low, high) == (pytest.approx(0.2, abs=0.051), pytest.approx(0.8, abs=0.051))
    low, high = interval(bootstrap(values, apart)[:, 0])
    assert (low, high) == (pytest.approx(0.4, abs=0.03), pytest.approx(0.6, abs=0.03))


def test_columns_are_resampled_together_so_that_differences_are_paired():
    first = np.array([0.0, 1, 0, 1, 1])
    means = bootstrap(np.stack([first, first - 0.25], axis=1), list("abcde"), repetitions=50)
    np.testing.assert_allclose(means[:, 0] - means[:, 1], 0.25)


def test_a_measure_of_no_runs_stays_nan_in_the_bootstrap():
    means = bootstrap(np.array([[np.nan, 1.0]] * 2), ["a", "b"], repetitions=5)
    assert np.isnan(means[:, 0]).all() and (means[:, 1] == 1).all()
    assert all(math.isnan(bound) for bound in interval(means[:, 0]))
    assert np.isnan(bootstrap(np.empty((0, 1)), [], repetitions=3)).all()


def test_one_group_says_nothing_of_how_groups_differ():
    assert np.isnan(bootstrap(np.ones((3, 1)), ["a", "a", "a"], repetitions=5)).all()


def test_the_jackknife_leaves_out_each_group_in_turn():
    values = np.array([[1.0, np.nan], [0.0, 1.0], [0.0, 0.0]])
    means = jackknife(values, ["a", "b", "b"])
    np.testing.assert_allclose(means, [[0, 0.5], [1, np.nan]])
    assert jackknife(np.empty((0, 2)), []).shape == (0, 2)
