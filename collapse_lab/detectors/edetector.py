"""Alarm tier: a run-level e-detector on how far the second and third family of evidence deviate.

A single signal wanders in healthy runs too; what healthy runs rarely do is to deviate in several
families at once, again and again. So the statistic of a step is the deviation of its k-th most
deviant family, k = 2 and 3, and each level q of it is a bet against

    H0: P(statistic_t > q | everything before t) <= p0(q)      while the run is healthy.

A bet pays L_t = 1 + (c / p0) (1{statistic_t > q} - p0), whose conditional mean is at most 1 under
H0. With a start weight w_t that sums to at most 1 over the run, R_t = (R_{t-1} + w_t) L_t, and
R_t + sum_{s>t} w_s is a nonnegative supermartingale that starts at most at 1, so that by Ville's
inequality P(ever mean of R >= 1/alpha) <= alpha for the whole run, of any length (Shin, Ramdas,
Rinaldo 2023, e-detectors, in the run-level form). Averaging keeps this under any dependence.

The p0 are measured: docs/detection.md holds the healthy rates on real logs they were set by.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import ClassVar

from collapse_lab.detectors.base import Finding, Step

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Bet:
    """On the `rank`-th most deviant family exceeding `level`; `p0` bounds its healthy chance."""

    rank: int
    level: float
    p0: float


BETS = (
    Bet(2, 2.5, 0.18),
    Bet(3, 1.5, 0.12),
    Bet(3, 2.25, 0.06),
    Bet(3, 3.0, 0.03),
)
BOLDNESS = 0.9
"""c: the share of the stake that a bet risks."""
AUDIT_LAG = 32
"""Records before now that the audit leaves out: the excursion under suspicion is no evidence
against the assumption about health."""
REST = 50
"""Records of silence after an alarm."""
MOST_WEALTH = 1e12


@dataclass(slots=True)
class EDetector:
    """Raises `alarm` with a stated bound on the share of healthy runs that ever see one.

    `planned_steps` spreads the start weights evenly over the run; without it they fall as
    1 / (t log^2 t), which costs a few steps of delay. Under a calibrated `limit` the promise is
    the calibration's and needs no assumption, so nothing is audited.
    """

    name: ClassVar[str] = "e-detector"
    highest: ClassVar[float] = math.log(MOST_WEALTH) / -math.log(ALPHA)
    planned_steps: int | None = None
    alpha: float = ALPHA
    limit: float | None = None
    evidence: float = 0.0
    """The e-value of the run so far: 1 says nothing, 1/alpha raises the alarm and ends the bets,
    which then begin anew."""
    _wealth: list[float] = field(default_factory=lambda: [0.0] * len(BETS))
    _records: int = 0
    _first_step: int = 0
    spent: float = 0.0
    """Of the start weights, which sum to at most 1 over the run, whatever of it is done again."""
    _rest: int = 0
    _recent: deque[list[bool]] = field(default_factory=lambda: deque(maxlen=AUDIT_LAG))
    _after: list[int] = field(default_factory=lambda: [0] * len(BETS))
    _again: list[int] = field(default_factory=lambda: [0] * len(BETS))

    def update(self, step: Step) -> Finding | None:
        families = sorted(step.deviations.values(), reverse=True)
        if step.excused or not families:
            return None
        weight = self._weight(step.record.step)
        exceeded: list[bool] = []
        for index, bet in enumerate(BETS):
            if len(families) < bet.rank:
                exceeded.append(False)
                continue
            over = families[bet.rank - 1] > bet.level
            exceeded.append(over)
            payoff = 1 + BOLDNESS / bet.p0 * (over - bet.p0)
            self._wealth[index] = min((self._wealth[index] + weight) * payoff, MOST_WEALTH)
        self.evidence = sum(self._wealth) / len(self._wealth)
        self._audit(exceeded)
        self._rest = max(0, self._rest - 1)
        if self._rest or self.score < (1.0 if self.limit is None else self.limit):
            return None
        return self._find(step)

    @property
    def score(self) -> float:
        """ln of the e-value, in units of ln(1/alpha)."""
        return math.log(self.evidence) / -math.log(self.alpha) if self.evidence else -math.inf

    def strained(self) -> list[Bet]:
        """Bets whose assumption this run itself speaks against: the Wilson lower bound of its
        exceedances after an exceedance lies above p0."""
        return [
            bet
            for bet, again, after in zip(BETS, self._again, self._after, strict=True)
            if _wilson_low(again, after) > bet.p0
        ]

    def _find(self, step: Step) -> Finding:
        self._wealth = [0.0] * len(BETS)
        self._rest = REST
        evidence = step.excursions.evidence(least=1.0)
        limit = (1 / self.alpha) ** (1.0 if self.limit is None else self.limit)
        strained = self.limit is None and bool(self.strained())
        notes: list[str] = []
        if self.limit is None:
            notes.append(
                f"at most {self.alpha:.0%} of healthy runs ever raise this alarm, if their "
                "residuals exceed their levels as rarely as assumed"
            )
        if strained:
            notes.append("assumption strained in this run, so only a watch: it deviates often")
        return Finding(
            "watch" if strained else "alarm",
            f"{len({part.family for part in evidence})} families of signals deviate together "
            f"(e-value {self.evidence:.3g} against {limit:.3g})",
            *step.excursions.joint_onset(evidence),
            evidence,
            tuple(notes),
        )

    def _weight(self, step: int) -> float:
        self._records += 1
        if self._records == 1:
            self._first_step = step
        t = self._records
        weight = 1 / (2.11 * (t + 1) * math.log(t + 1) ** 2)
        if self.planned_steps:
            stride = max(1.0, (step - self._first_step) / max(1, t - 1))
            weight = stride / self.planned_steps
        weight = min(weight, 1 - self.spent)
        self.spent += weight
        return weight

    def _audit(self, exceeded: list[bool]) -> None:
        if len(self._recent) == AUDIT_LAG:
            for index, before in enumerate(self._recent[0]):
                self._after[index] += before
                self._again[index] += before and self._recent[1][index]
        self._recent.append(exceeded)


def _wilson_low(hits: int, n: int, z: float = 1.96) -> float:
    if n == 0:
        return 0.0
    share = hits / n
    center = share + z * z / (2 * n)
    return (center - z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))) / (1 + z * z / n)
