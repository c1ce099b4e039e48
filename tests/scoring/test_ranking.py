"""Time-dependent areas against values worked out by hand, and against their definitions."""

from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.scoring.ranking import Areas, Course, Ranking, rows, watched


def course(*scores: float, collapse: int | None = None) -> Course:
    return Course(np.array(scores, float), collapse)


def areas(courses: list[Course], horizon: int) -> Areas:
    return Ranking.of(rows(courses, horizon)).areas()


def test_a_record_is_a_case_up_to_the_horizon_before_the_collapse_and_at_risk_until_it():
    found = rows([course(*range(8), collapse=6), course(*range(9))], horizon=2)
    mine = found.run == 0
    assert found.score[mine].tolist() == [0, 1, 2, 3, 4, 5]  # 6 and 7 are after the fall
    assert found.case[mine].tolist() == [False] * 4 + [True] * 2


def test_a_record_whose_run_ends_before_the_horizon_is_dropped_and_the_last_that_reaches_is_not():
    found = rows([course(*range(5)), course(*range(9))], horizon=2)
    assert found.score[found.run == 0].tolist() == [0, 1, 2]
    assert not found.case.any()


def test_the_runs_that_are_watched_longer_stand_for_those_that_are_not():
    courses = [course(*[0.0] * 4), course(*[0.0] * 4), course(*[0.0] * 8), course(*[0.0] * 8)]
    np.testing.assert_allclose(watched(courses), [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0])
    found = rows(courses, horizon=2)
    # of the six records of a long run that reach, those at 2 and 3 stand for a short run's too
    expected = np.array([1, 1, 2, 2, 1, 1]) / 6
    np.testing.assert_allclose(found.weight[found.run == 2], expected)


def test_a_collapse_is_weighted_by_the_chance_of_being_watched_to_it_not_to_the_horizon():
    courses = [course(*[0.0] * 4), course(*[0.0] * 9), course(*[0.0] * 9, collapse=3)]
    found = rows(courses, horizon=5)
    mine = found.run == 2
    assert found.case[mine].all()
    np.testing.assert_allclose(found.weight[mine], 1 / 3)


def test_where_no_control_could_be_seen_a_case_is_dropped_too():
    courses = [course(*[0.0] * 6), course(*[0.0] * 6, collapse=5)]
    found = rows(courses, horizon=3)
    assert found.score[found.run == 1].size == 3  # records 0, 1, 2; the watch of others ends at 6
    assert found.case[found.run == 1].tolist() == [False, False, True]


def test_a_run_weighs_the_same_however_long_it_is():
    found = rows([course(*[0.0] * 20), course(*[0.0] * 20, collapse=4)], horizon=2)
    weights = [found.weight[found.run == run].sum() for run in (0, 1)]
    np.testing.assert_allclose(weights, 1)
    assert found.prevalence == pytest.approx(0.25)  # half of one run of two


def test_areas_of_a_hand_ranked_corpus():
    # controls 1, 2, 3 and 5 of a quarter each, one case 4 that has its run's whole weight
    courses = [course(1, 2, 3, 5, 9), course(4, 6, 9, 9, 9, collapse=1)]
    found = rows(courses, horizon=1)
    assert found.case.tolist() == [False] * 4 + [True]
    areas = Ranking.of(found).areas()
    assert (areas.roc, areas.precision_recall) == (0.75, 1 / 1.25)
    assert areas.roc_at_same_record == 1  # at record 0 there is one control, 1


def test_equal_scores_are_a_coin_toss_and_one_threshold():
    courses = [course(*[1.0] * 30), course(*[1.0] * 30, collapse=10)]
    found = areas(courses, 5)
    assert found.roc == pytest.approx(0.5)
    assert found.roc_at_same_record == pytest.approx(0.5)
    assert found.precision_recall == pytest.approx(rows(courses, 5).prevalence)


def test_a_clock_profits_from_early_collapses_but_not_at_the_same_record():
    courses = [course(*range(30, 0, -1)) for _ in range(3)]
    courses.append(Course(courses[0].scores, collapse=8))
    found = areas(courses, 5)
    assert found.roc > 0.65
    assert found.roc_at_same_record == pytest.approx(0.5)


def test_minus_infinity_ranks_below_every_number():
    courses = [course(-math.inf, -math.inf, -math.inf), course(-3.0, 0, 0, collapse=1)]
    assert areas(courses, 1) == Areas(1, 1, 1)


def test_without_cases_or_controls_there_is_no_area():
    for courses in ([course(*[0.0] * 9)], []):
        found = areas(courses, 2)
        assert math.isnan(found.roc) and math.isnan(found.roc_at_same_record)
        assert math.isnan(found.precision_recall)
    assert math.isnan(rows([], 2).prevalence)


def test_scores_that_come_late_begin_with_nothing_known():
    late = course(1, 2, 3, 4, collapse=3).delayed(2)
    assert late.scores.tolist() == [-math.inf, -math.inf, 1, 2]
    assert late.collapse == 3
    assert course(1, 2).delayed(10).scores.tolist() == [-math.inf, -math.inf]


runs = st.lists(
    st.tuples(st.lists(st.integers(0, 4).map(float), min_size=1, max_size=12), st.integers(-8, 11)),
    min_size=2,
    max_size=6,
)


@given(runs, st.integers(1, 4))
def test_the_areas_are_those_of_all_weighted_pairs(made: list[tuple[list[float], int]], h: int):
    courses = [
        course(*scores, collapse=point if 0 <= point < len(scores) else None)
        for scores, point in made
    ]
    found = rows(courses, h)
    areas = Ranking.of(found).areas()
    cases, controls = np.flatnonzero(found.case), np.flatnonzero(~found.case)
    if not cases.size or not controls.size:
        assert math.isnan(areas.roc) and math.isnan(areas.precision_recall)
        return
    won = np.sign(found.score[cases][:, None] - found.score[controls]) / 2 + 0.5
    weights = found.weight[cases][:, None] * found.weight[controls]
    assert areas.roc == pytest.approx((weights * won).sum() / weights.sum())
    assert 0 < areas.precision_recall <= 1 + 1e-12
    here = found.point[cases][:, None] == found.point[controls]
    met = here.any(axis=1)
    if not met.any():
        assert math.isnan(areas.roc_at_same_record)
        return
    rivals = (here * found.weight[controls])[met]
    share = (rivals * won[met]).sum(axis=1) / rivals.sum(axis=1)
    assert areas.roc_at_same_record == pytest.approx(
        np.average(share, weights=found.weight[cases][met])
    )


@given(runs, st.integers(1, 4))
def test_resampled_runs_are_the_same_as_runs_that_are_there_so_often(
    made: list[tuple[list[float], int]], h: int
):
    courses = [
        course(*scores, collapse=point if 0 <= point < len(scores) else None)
        for scores, point in made
    ]
    found = Ranking.of(rows(courses, h))
    doubled = np.full(len(courses), 2)
    np.testing.assert_allclose(astuple(found.areas(doubled)), astuple(found.areas()))
    nobody = np.zeros(len(courses), np.int64)
    assert np.isnan(astuple(found.areas(nobody))).all()
