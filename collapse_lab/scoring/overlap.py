"""Range-based precision and recall: how much of a collapse alarms cover, its front first.

Tatbul, Lee, Zdonik, Alam and Gottschlich, Precision and Recall for Time Series, NeurIPS 2018
(arXiv 1803.03639). A range R earns of the ranges P that meet it

    overlap(R, P) = gamma(R, P) * sum over records i of R that are in P of delta(i)
                    / sum over all records i of R of delta(i)

with gamma = 1 / (how many of P meet R), 1 if none or one does: a collapse told in pieces is worth
less. For recall R are the collapses and P the alarms, with the front bias delta(i) = len(R) - i + 1
for i = 1, 2, ...: the first records of a range count most, as whoever acts on an alarm gains most
by an early one. For precision R are the alarms and P the collapses, and all records count the same:
the front of an alarm is no better place to be right than its end. There is no reward for the mere
existence of an alarm (alpha = 0); that is recall by run, which stands elsewhere.

Which records are a range is said in `ranges`. The point-adjusted F1, in which one alarm counts as
all records of a range, is not here: random scores reach the best published ones by it (Kim et al.,
arXiv 2109.05257).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from collapse_lab.scoring.ranges import anomaly, warned
from collapse_lab.scoring.runs import ScoredRun

Bias = Callable[[int], NDArray[np.float64]]
"""Length of a range -> what each of its records counts."""


def front(length: int) -> NDArray[np.float64]:
    """The first record counts as much as the range is long, the last one 1."""
    return np.arange(length, 0, -1, dtype=float)


def flat(length: int) -> NDArray[np.float64]:
    """All records count the same."""
    return np.ones(length)


def overlap(of: range, others: Iterable[range], bias: Bias) -> float:
    """What a range earns, 0 to 1.

    >>> overlap(range(0, 4), [range(0, 2)], front), overlap(range(0, 4), [range(2, 9)], front)
    (0.7, 0.3)
    """
    met = [other for other in others if other.start < of.stop and of.start < other.stop]
    weights = bias(len(of))
    covered = sum(
        weights[max(0, other.start - of.start) : other.stop - of.start].sum() for other in met
    )
    return float(covered / weights.sum()) / max(1, len(met))


def range_recall(runs: Sequence[ScoredRun]) -> float:
    """Mean over the collapses of what alarms cover of each; NaN without any."""
    return _mean(
        overlap(about, warned(run), front) for run in runs if (about := anomaly(run)) is not None
    )


def range_precision(runs: Sequence[ScoredRun]) -> float:
    """Mean over the ranges at which an alarm stands of how much of each is a collapse; NaN without
    any alarm."""
    return _mean(
        overlap(alarm, () if (about := anomaly(run)) is None else (about,), flat)
        for run in runs
        for alarm in warned(run)
    )


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return math.fsum(found) / len(found) if found else math.nan
