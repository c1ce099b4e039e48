"""How much a series jumps from one record to the next when nothing is going on."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

MAD_TO_DEVIATION = 1.4826
"""Standard deviation of a normal variable over the median of its absolute value."""


def step_noise(changes: NDArray[np.float64]) -> float:
    """Standard deviation of one record, from successive differences (at least one).

    A series that is mostly equal has a median difference of zero, so half the root mean square is
    the least.

    >>> round(step_noise(np.array([1.0, -1.0, 1.0])), 4)  # 1.4826 / sqrt(2)
    1.0484
    >>> round(step_noise(np.array([0.0, 0.0, 0.0, 4.0])), 4)  # .5 * sqrt(16 / 4 / 2)
    0.7071
    """
    size = np.abs(changes) / math.sqrt(2)
    spread = MAD_TO_DEVIATION * float(np.median(size))
    return max(spread, 0.5 * math.sqrt(float(np.mean(size**2))))
