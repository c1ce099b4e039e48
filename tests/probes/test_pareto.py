from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from arviz_stats.base.array import array_stats

from collapse_lab.probes.pareto import shape, tail_size


def arviz_khat(log_weights: np.ndarray) -> float:
    """ArviZ takes log likelihoods, of which the weights are the inverse.

    It rounds the size of the tail down where the paper and R's loo round up: the tests use sizes
    where there is nothing to round.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(array_stats.psislw(-log_weights)[1])


@pytest.mark.parametrize("size", [100, 400, 2500, 10_000])
@pytest.mark.parametrize("spread", [0.05, 0.5, 2.0, 5.0])
def test_khat_is_that_of_arviz_for_lognormal_weights(size, spread):
    log_weights = np.random.default_rng(size).normal(0, spread, size)
    assert shape(log_weights, size) == pytest.approx(arviz_khat(log_weights), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("k", [0.2, 0.7, 1.5])
def test_khat_is_that_of_arviz_for_pareto_weights_and_near_the_truth(k):
    log_weights = k * np.random.default_rng(3).exponential(size=10_000)
    khat = shape(log_weights, 10_000)
    assert khat == pytest.approx(arviz_khat(log_weights), rel=1e-6)
    assert khat == pytest.approx(k, abs=0.25)


def test_the_tail_is_all_that_is_needed():
    log_weights = np.random.default_rng(0).normal(0, 2, 5000)
    top = np.sort(log_weights)[-tail_size(5000) - 1 :]
    assert shape(top, 5000) == shape(log_weights, 5000)


def test_a_common_factor_changes_nothing_however_large():
    log_weights = np.random.default_rng(1).normal(0, 1, 400)
    assert shape(log_weights + 3000, 400) == pytest.approx(shape(log_weights, 400), rel=1e-6)


def test_tail_sizes_by_hand():
    # min(20, 30) and min(2000, 300)
    assert (tail_size(100), tail_size(10_000)) == (20, 300)


def test_equal_weights_have_no_tail_and_few_weights_none_either():
    assert shape(np.zeros(1000), 1000) is None
    assert shape(np.arange(20.0), 20) is None


def test_a_weight_that_is_no_number_makes_khat_none_either():
    weights = np.random.default_rng(0).normal(size=100)
    for value in (math.nan, math.inf):
        broken = np.append(weights, value)
        assert math.isnan(shape(broken, 101) or 0.0)
