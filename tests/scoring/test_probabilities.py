"""Brier scores and reliability against values worked out by hand, and against their identities."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.scoring.probabilities import EDGES, Brier, brier, reliability
from collapse_lab.scoring.ranking import Course, Rows, rows


def course(*chances: float, collapse: int | None = None) -> Course:
    return Course(np.array(chances, float), collapse)


def made(*records: tuple[float, bool, float]) -> Rows:
    """(chance, case, weight) of records, each of its own run."""
    chances, cases, weights = zip(*records, strict=True)
    places = np.arange(len(records))
    return Rows(places, places, np.array(chances), np.array(cases, bool), np.array(weights))


def test_the_score_is_the_weighted_mean_square_of_what_was_stated_minus_what_came():
    found = brier(made((0.8, True, 1), (0.4, False, 1), (0.1, False, 2)))
    assert found.score == pytest.approx((0.04 + 0.16 + 2 * 0.01) / 4)
    assert found.observed == 0.25
    assert found.blind == 0.25 * 0.75
    assert found.stated == pytest.approx((0.8 + 0.4 + 0.2) / 4)
    assert found.skill == pytest.approx(1 - 0.055 / 0.1875)


def test_an_oracle_has_all_skill_the_blind_none_and_the_opposite_less_than_none():
    truth = [(True, 1.0), (False, 1.0), (False, 2.0)]
    oracle = brier(made(*((float(case), case, weight) for case, weight in truth)))
    assert (oracle.score, oracle.skill) == (0, 1)
    assert brier(made(*((0.25, case, weight) for case, weight in truth))).skill == 0
    assert brier(made(*((float(not case), case, weight) for case, weight in truth))).skill < -4


def test_a_bin_says_how_often_what_was_stated_came():
    records = made((0.12, True, 1), (0.18, False, 3), (0.2, False, 1), (1.0, True, 5))
    bins = {one.low: one for one in reliability(records)}
    assert bins[0.1].share == 0.4
    assert bins[0.1].stated == pytest.approx((0.12 + 3 * 0.18) / 4)
    assert bins[0.1].observed == 0.25
    assert (bins[0.2].share, bins[0.2].observed) == (0.1, 0)  # its lower edge belongs to a bin
    assert (bins[0.8].share, bins[0.8].stated, bins[0.8].observed) == (0.5, 1, 1)
    assert bins[0.4].share == 0 and math.isnan(bins[0.4].observed)


def test_runs_that_end_too_soon_are_made_up_for_by_those_that_go_on():
    """Two healthy runs of four records, two of eight; a horizon of two. The records of the long
    runs at 2 and 3 stand for those of the short ones, whose last two cannot be told: with weights
    of 1, 1, 2, 2, 1 and 1 sixths against two halves."""
    short, long = [0.5] * 4, [0, 0, 0.6, 0.6, 0, 0, 0.9, 0.9]
    found = brier(rows([course(*short), course(*short), course(*long), course(*long)], horizon=2))
    # of a short run: 0.25 at two records of a half each; of a long one: 0.36 at weights of 4/6
    assert found.score == pytest.approx((2 * 0.25 + 2 * 0.36 * 4 / 6) / (2 * 1 + 2 * 8 / 6))
    assert found.observed == 0 and math.isnan(found.skill)


def test_where_no_chance_is_stated_nothing_is_asked():
    silent, spoken = (math.nan, True, 3.0), ((0.8, True, 0.5), (0.1, False, 0.5))
    found, alone = brier(made(silent, *spoken)), brier(made(*spoken))
    assert (found.score, found.observed, found.blind) == (alone.score, alone.observed, alone.blind)
    assert (found.known, alone.known) == (0.25, 1)
    assert reliability(made(silent, *spoken))[-1] == reliability(made(*spoken))[-1]
    assert math.isnan(brier(made(silent)).score)


def test_records_after_the_fall_has_begun_are_not_asked():
    quiet = course(*[0.0] * 20)
    calm, mad = (course(*[0.0] * 8, *[after] * 12, collapse=8) for after in (0.0, 1.0))
    assert brier(rows([quiet, calm], 3)) == brier(rows([quiet, mad], 3))


def test_of_no_records_there_is_no_score():
    found = brier(rows([], 3))
    assert all(math.isnan(part) for part in (found.score, found.blind, found.skill))
    assert all(math.isnan(one.share) for one in reliability(rows([], 3)))


records = st.lists(
    st.tuples(st.floats(0, 1), st.booleans(), st.floats(0.1, 3)), min_size=1, max_size=20
)


@given(records)
def test_with_one_number_a_bin_the_score_is_what_its_parts_add_up_to(
    some: list[tuple[float, bool, float]],
):
    middles = [(low + high) / 2 for low, high in pairwise(EDGES)]
    found = brier(made(*((middles[int(c * 7.99)], case, weight) for c, case, weight in some)))
    assert found.score == pytest.approx(found.unreliability - found.resolution + found.blind)


@given(records)
def test_shares_add_up_and_bins_have_the_means_of_all(some: list[tuple[float, bool, float]]):
    found, bins = brier(made(*some)), reliability(made(*some))
    assert sum(one.share for one in bins) == pytest.approx(1)
    there = [one for one in bins if one.share]
    assert sum(one.share * one.stated for one in there) == pytest.approx(found.stated)
    assert sum(one.share * one.observed for one in there) == pytest.approx(found.observed)
    assert all(one.low - 1e-9 <= one.stated <= one.high + 1e-9 for one in there)


@given(records)
def test_a_run_that_is_drawn_twice_is_the_same_as_one_that_weighs_double(
    some: list[tuple[float, bool, float]],
):
    twice = np.full(len(some), 2)
    twice[0] = 1
    doubled = made(
        *((c, case, weight * (2 if at else 1)) for at, (c, case, weight) in enumerate(some))
    )
    drawn, weighed = brier(made(*some), twice), brier(doubled)
    assert drawn.score == pytest.approx(weighed.score)
    assert drawn.resolution == pytest.approx(weighed.resolution)
    nobody = brier(made(*some), np.zeros(len(some), np.int64))
    assert isinstance(nobody, Brier) and math.isnan(nobody.score)
