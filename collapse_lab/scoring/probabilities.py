"""Is a stated chance of a collapse within H records true? By record, as in `ranking`.

The Brier score is the mean square of what was stated minus what came (1 or 0): 0 for an oracle, and
the variance of the cases for the blind forecaster, who states their share at every record. It is
taken over the records at risk whose case can be told, with the weights of `ranking.rows`: inverse
ones for runs that end before (Graf et al. 1999; at many times of a run: Blanche et al. 2015), and
each run weighing the same. Where no chance was stated (NaN) nothing is asked; how often one was is
said. The skill is the part of the blind score that is gone (the index of
prediction accuracy, Kattan and Gerds 2018).

A reliability table says, of the records at which about so much was stated, at how many it came. In
its bins the score is made of what is wrong about the numbers (`unreliability`, 0 is best), of what
they tell apart (`resolution`, more is better) and of the blind score (Murphy 1973): score =
unreliability - resolution + blind, but for differences within a bin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collapse_lab.scoring.ranking import Array, Rows

EDGES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
"""Of the bins, the last one with its upper end."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Records at which `low` to `high` was stated: their `share` of all, the mean that was
    `stated`, and the share at which it came, `observed`; NaN of none."""

    low: float
    high: float
    share: float
    stated: float
    observed: float


@dataclass(frozen=True, slots=True)
class Brier:
    """`blind` is the score of whoever states `observed`, the share of cases, at every record.
    `stated` is the mean of what was, `known` the share of the records at which anything was, `bins`
    the reliability table. NaN of no records."""

    score: float
    blind: float
    stated: float
    observed: float
    known: float
    bins: Sequence[Bin]

    @property
    def unreliability(self) -> float:
        """What is wrong about the numbers."""
        return sum(one.share * (one.stated - one.observed) ** 2 for one in self._filled())

    @property
    def resolution(self) -> float:
        """What they tell apart."""
        return sum(one.share * (one.observed - self.observed) ** 2 for one in self._filled())

    def _filled(self) -> list[Bin]:
        return [one for one in self.bins if one.share != 0]

    @property
    def skill(self) -> float:
        """1 for an oracle, 0 for the blind, less for whoever is worse; NaN without cases or without
        controls."""
        return 1 - self.score / self.blind if self.blind > 0 else math.nan


def brier(
    rows: Rows, times: NDArray[np.int64] | None = None, edges: Sequence[float] = EDGES
) -> Brier:
    """The score of `rows`, whose scores are chances, each run counting so many `times`."""
    chance, weight, every = _known(rows, times)
    total = float(weight.sum())
    bins = reliability(rows, times, edges)
    if not total:
        return Brier(math.nan, math.nan, math.nan, math.nan, math.nan, bins)
    case = rows.case.astype(float)
    observed = float(weight @ case) / total
    return Brier(
        score=float(weight @ (chance - case) ** 2) / total,
        blind=observed * (1 - observed),
        stated=float(weight @ chance) / total,
        observed=observed,
        known=total / every,
        bins=bins,
    )


def reliability(
    rows: Rows, times: NDArray[np.int64] | None = None, edges: Sequence[float] = EDGES
) -> list[Bin]:
    """One bin between any two edges; empty ones, too."""
    chance, weight, _ = _known(rows, times)
    place = np.searchsorted(edges[1:-1], chance, side="right")
    bins = len(edges) - 1
    inside, stated, cases = (
        np.bincount(place, weight * part, bins) for part in (np.ones(len(place)), chance, rows.case)
    )
    total = weight.sum()
    found: list[Bin] = []
    for low, high, here, said, came in zip(
        edges[:-1], edges[1:], inside.tolist(), stated.tolist(), cases.tolist(), strict=True
    ):
        if here > 0:
            found.append(Bin(low, high, here / float(total), said / here, came / here))
        else:
            found.append(Bin(low, high, 0.0 if total else math.nan, math.nan, math.nan))
    return found


def _known(rows: Rows, times: NDArray[np.int64] | None) -> tuple[Array, Array, float]:
    """Chances and weights, zero where none was stated, and the weight of all records."""
    weight = rows.weight if times is None else rows.weight * times[rows.run]
    known = np.isfinite(rows.score)
    return np.where(known, rows.score, 0.0), np.where(known, weight, 0.0), float(weight.sum())
