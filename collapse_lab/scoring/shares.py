"""Shares of runs, and what so few runs say about the true share."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `of` runs."""

    hits: int
    of: int

    @property
    def value(self) -> float:
        """The share itself; NaN of no runs."""
        return self.hits / self.of if self.of else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson 95 % interval."""
        return wilson(self.hits, self.of)

    def upper(self, confidence: float = 0.95) -> float:
        """What the true share stays below, with this confidence (one-sided, exact)."""
        return upper_bound(self.hits, self.of, confidence)


def wilson(hits: int, of: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson score interval of a share; (NaN, NaN) of nothing.

    >>> [round(bound, 3) for bound in wilson(0, 30)]
    [0.0, 0.114]
    """
    if not of:
        return math.nan, math.nan
    share, shrink = hits / of, 1 + z * z / of
    centre = (share + z * z / (2 * of)) / shrink
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / shrink
    return max(0.0, centre - half), min(1.0, centre + half)


def upper_bound(hits: int, of: int, confidence: float = 0.95) -> float:
    """One-sided Clopper-Pearson bound: the largest share that `hits` does not rule out.

    This is the PAC statement of a calibration on `of` healthy runs: with this confidence the
    detector alarms on at most this share of healthy runs like them. NaN of nothing.

    >>> round(upper_bound(0, 29), 3), round(upper_bound(0, 59), 3)
    (0.098, 0.05)
    """
    if not of:
        return math.nan
    if hits == of:
        return 1.0
    low, high = hits / of, 1.0
    while high - low > 1e-10:
        middle = (low + high) / 2
        if _at_most(hits, of, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def clopper_pearson(hits: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval of a share; never narrower than it says. (NaN, NaN) of nothing."""
    side = (1 + confidence) / 2
    return 1 - upper_bound(of - hits, of, side), upper_bound(hits, of, side)


def _at_most(hits: int, of: int, share: float) -> float:
    """P(X <= hits) for X ~ Binomial(of, share), 0 < share < 1."""
    log_terms = [
        math.lgamma(of + 1)
        - math.lgamma(k + 1)
        - math.lgamma(of - k + 1)
        + k * math.log(share)
        + (of - k) * math.log1p(-share)
        for k in range(hits + 1)
    ]
    return math.fsum(math.exp(term) for term in log_terms)
