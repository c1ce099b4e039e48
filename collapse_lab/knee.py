"""Where a fall began: the knee of the best broken stick, a flat piece and then a falling line."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PLAUSIBLE = 3.84
"""Twice the log-likelihood that a knot may lie below the best one: 95 % of chi-square with one
degree of freedom (Feder 1975, The log likelihood ratio in segmented regression)."""


@dataclass(frozen=True, slots=True)
class Knee:
    """Indices: the best knot, and the first and last of those that noise does not tell from it."""

    at: int
    low: int
    high: int


def knee(values: NDArray[np.float64]) -> Knee:
    """The last value before the fall, by least squares; of one value or more.

    A series that only rises has none; then any index may be it, and the first is taken.

    >>> knee(np.array([2.0, 2.0, 2.0, 1.5, 1.0, 0.5]))
    Knee(at=2, low=2, high=2)
    >>> knee(np.array([0.0, 1.0, 2.0]))
    Knee(at=0, low=0, high=2)
    """
    size = len(values)
    errors = np.full(size, math.inf)
    for knot in range(size - 1):
        flat, line = values[: knot + 1], values[knot:]
        level = float(flat.mean())
        x = np.arange(len(line))
        slope = float((x * (line - level)).sum() / (x**2).sum())
        if slope < 0:
            errors[knot] = float(
                ((flat - level) ** 2).sum() + ((line - level - slope * x) ** 2)[1:].sum()
            )
    at = int(np.argmin(errors))
    beyond = errors > errors[at] * math.exp(PLAUSIBLE / size)
    plausible = np.flatnonzero(~beyond)  # all of them where squares overflow to what is no number
    return Knee(at, int(plausible[0]), int(plausible[-1]))


def fall(values: NDArray[np.float64], window: int, reference: int) -> Knee:
    """The knee between the best mean of `reference` values, those of the last `window` aside, and
    now: what came before the best is no part of the fall. Of more than `window` values.

    >>> fall(np.array([0.0, 1.0, 2.0, 2.0, 2.0, 1.5, 1.0]), window=2, reference=2)
    Knee(at=4, low=4, high=4)
    """
    means = np.convolve(values[:-window], np.ones(reference) / reference, "valid")
    start = int(np.argmax(means))
    found = knee(values[start:])
    return Knee(start + found.at, start + found.low, start + found.high)
