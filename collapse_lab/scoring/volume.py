"""Volume under the precision-recall surface (VUS-PR): do scores rank the records of a collapse, or
near one, above all others, at any threshold and any tolerance?

Paparrizos, Boniol, Palpanas, Tsay, Elmore and Franklin, Volume Under the Surface, PVLDB 15(11),
2022. With a buffer of l records the label of a record is 1 in a range, sqrt(1 - d / l) at a
distance d <= l / 2 from one, else 0. For the records whose score reaches a threshold

    true      = sum of their labels
    precision = true / how many they are
    recall    = min(1, true / P) * share of the ranges with such a record in them or their buffer

with P half way between the number of records in ranges and the sum of all labels. The volume is the
mean of the areas over l = 0, 1, ..., 20.

All runs are one series here, with one threshold: in a collapsed run alone the range is the end, and
a clock would rank it best. A buffer does not reach into another run. The area is average precision
at every distinct score, where the paper draws lines from a precision of 1 at a recall of 0: so a
score that is the same everywhere has the mean label, and not half of the way from it to 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
BUFFER = 20
"""Records."""


def vus_pr(
    scores: Sequence[Array], anomalies: Sequence[range | None], buffer: int = BUFFER
) -> float:
    """VUS-PR of the scores (records,) of each run, whose range is given, if it has one.

    NaN without any range. A score that is not yet known is -infinity.
    """
    if all(about is None for about in anomalies):
        return math.nan
    levels, place = np.unique(np.concatenate(scores), return_inverse=True)
    reached = np.cumsum(np.bincount(place, minlength=len(levels))[::-1])
    ranges = sum(len(about) for about in anomalies if about is not None)
    areas: list[float] = []
    for width in range(buffer + 1):
        labels = [
            label(len(score), about, width) for score, about in zip(scores, anomalies, strict=True)
        ]
        true = np.cumsum(np.bincount(place, np.concatenate(labels), len(levels))[::-1])
        tops = [
            score[some > 0].max() for score, some in zip(scores, labels, strict=True) if some.any()
        ]
        found = 1 - np.searchsorted(np.sort(tops), levels[::-1]) / len(tops)
        recall = np.minimum(1, true / ((ranges + true[-1]) / 2)) * found
        areas.append(float((true / reached * np.diff(recall, prepend=0)).sum()))
    return math.fsum(areas) / len(areas)


def label(records: int, about: range | None, width: int) -> Array:
    """(records,) 1 in the range, less in its buffer, 0 elsewhere.

    >>> label(7, range(4, 6), 4).round(2).tolist()
    [0.0, 0.0, 0.71, 0.87, 1.0, 1.0, 0.87]
    """
    if about is None:
        return np.zeros(records)
    point = np.arange(records)
    away = np.maximum(0, np.maximum(about.start - point, point - about.stop + 1))
    return np.where(away <= width // 2, np.sqrt(np.maximum(0, 1 - away / max(1, width))), 0)
