"""A score for what only says yes or no: run it again and again with its thresholds moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

SCALES = tuple(2 ** (rung / 2) for rung in range(-6, 11))
"""The rungs: from an eighth of every default threshold to 32 of them."""


def climb(alarms_at: Callable[[float], Sequence[int]], records: int) -> NDArray[np.float64]:
    """The highest rung at which there was an alarm so far, one number a record; 0 is none.

    `alarms_at` gives the points of the alarms at a scale. The first rung without any ends the
    climb: more tolerant thresholds stay silent too.
    """
    score = np.zeros(records)
    for scale in SCALES:
        points = alarms_at(scale)
        if not points:
            break
        score[points[0] :] = scale
    return score
