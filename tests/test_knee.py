"""Where a fall began, on drawn curves whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from collapse_lab.knee import Knee, fall, knee


def test_a_broken_stick_without_noise_breaks_where_it_does() -> None:
    assert knee(np.array([0.8] * 30 + [0.7, 0.6, 0.5])) == Knee(at=29, low=29, high=29)


def test_a_step_down_is_dated_at_the_last_value_before_it() -> None:
    """From the first value on a line misses (1, 1, 1, 0, 0) by a square of .367; one from the
    second has a slope of -5/14 and misses by .357, .286 and .071, which squared are .214; from the
    third -3/5, by .4 and .2, which are .2; from the fourth the mean of .75 alone misses by .75."""
    assert knee(np.array([1.0, 1, 1, 0, 0])).at == 2


def test_nineteen_of_twenty_intervals_hold_the_truth_and_most_are_short() -> None:
    """Fifty records at 0.8, then 0.02 less each, give or take 0.05."""
    rng = np.random.default_rng(0)
    truth = np.concatenate([np.full(50, 0.8), 0.8 - 0.02 * np.arange(1, 21)])
    found = [knee(truth + rng.normal(0, 0.05, len(truth))) for _ in range(400)]
    held = np.mean([one.low <= 49 <= one.high for one in found])
    assert 0.9 < held < 0.99
    assert np.median([abs(one.at - 49) for one in found]) <= 2
    assert np.median([one.high - one.low for one in found]) < 12


@pytest.mark.parametrize(
    "values", [[math.nan] * 5, [1.0, 1.0, 0.5, math.nan, 0.0], [1e308, 1e308, -1e308]]
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_where_nothing_can_be_computed_any_value_may_be_the_last_one(values: list[float]) -> None:
    found = knee(np.array(values))
    assert (found.low, found.high) == (0, len(values) - 1)


def test_what_came_before_the_best_is_no_part_of_the_fall() -> None:
    """Of the means of three, 0.67, 0.7, 1 and 0.93, the third is best: after a dip made good."""
    values = np.array([0.9, 0.1, 1.0, 1.0, 1.0, 0.8, 0.6, 0.4])
    assert fall(values, window=2, reference=3) == Knee(at=4, low=4, high=4)
