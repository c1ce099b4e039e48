"""The Pareto shape of a tail of importance weights, k-hat.

Pareto smoothed importance sampling (Vehtari et al., JMLR 25(72), 2024) fits a generalised Pareto
distribution to the largest weights with the estimator of Zhang and Stephens (2009). k < 0.5: finite
variance; k > 0.7: a weighted mean is unreliable at any practical sample size; k > 1: no mean.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

SMALLEST_TAIL = 5


def tail_size(count: int) -> int:
    """How many of `count` weights are the tail: min(S / 5, 3 sqrt(S)), rounded up."""
    return math.ceil(min(0.2 * count, 3 * math.sqrt(count)))


def shape(top_log_weights: NDArray[np.float64], count: int) -> float | None:
    """k-hat of `count` weights, given at least the largest of them, as logs.

    NaN when a weight is NaN or infinite. None when the tail has fewer than 5 weights above its
    threshold, as on policy, where all weights are equal. When fewer are given than the tail and
    its threshold need, the tail is what is given: a cap for very large samples.
    """
    ranked = np.sort(top_log_weights)[::-1]
    if not np.isfinite(ranked[:1]).all() or np.isnan(ranked).any():
        return math.nan
    size = min(tail_size(count), len(ranked) - 1)
    if size < SMALLEST_TAIL:
        return None
    scaled = np.exp(ranked[: size + 1] - ranked[0])
    excess = scaled[:size] - scaled[size]
    excess = excess[excess > 0]
    return None if len(excess) < SMALLEST_TAIL else generalised_pareto_shape(excess[::-1])


def generalised_pareto_shape(excess: NDArray[np.float64]) -> float:
    """Zhang and Stephens' posterior mean of k for positive excesses in rising order.

    Shrunk towards 0.5 with the weight of 10 observations, as PSIS does.
    """
    n = len(excess)
    grid = 30 + math.isqrt(n)
    quartile = excess[int(n / 4 + 0.5) - 1]
    steps = np.arange(1, grid + 1)
    theta = 1 / excess[-1] + (1 - np.sqrt(grid / (steps - 0.5))) / (3 * quartile)
    k = np.log1p(-theta[:, None] * excess).mean(axis=1)
    likelihood = n * (np.log(-theta / k) - k - 1)
    weight = np.exp(likelihood - likelihood.max())
    theta_hat = float((theta * weight).sum() / weight.sum())
    k_hat = float(np.log1p(-theta_hat * excess).mean())
    return (n * k_hat + 5) / (n + 10)
