"""What the panel sees at one record, in three numbers that name no role.

The hazard model is given numbers that mean the same in every framework and every failure: how far
the reward lies below its best, how many of the other signals are off their courses, and both at
once. Which signals those are, their scales, the number of the step, the length of the run and its
configuration are not among them, so that a model cannot learn what collapses look like in one
trainer only. Families count alike, however many signals of each a framework logs.

The larger, the worse, for all: a model with nonnegative weights is monotone in the evidence. What
else was tried, ranks of families, bursts, the run's own long past, is in docs/lab-log.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np

from collapse_lab.detectors.base import Step
from collapse_lab.detectors.frontend import Array
from collapse_lab.detectors.reward import Reward
from collapse_lab.signals import SIGNALS

REWARD_FALL, OFF_COURSE, BOTH = "reward below its best", "signals off course", "both at once"
NAMES = (REWARD_FALL, OFF_COURSE, BOTH)

LEAST_EVIDENCE = 1.0
"""CUSUM from which a signal is off its course."""
OFF_COURSE_MEMORY = 0.2
"""Weight of the newest share in its moving average."""
REWARD_MEMORY = 0.1
"""Weight of the newest reward in its moving average: about the last ten count."""
LEAST_NOISE = 1 / 16
"""Of the gain, for one record: batches of many rollouts waver by more than they sample."""
AFTER = 10
"""Rewards before their average may be the best."""
USUAL = 2.0
"""Standard errors by which a healthy average lies below its own best."""
FAR = 20.0
"""Standard errors below its best at which a reward is simply gone."""


@dataclass(slots=True)
class Features:
    """`update` gives the features of a record, an array aligned with `NAMES`; those of signals are
    zero until one is judged. Constant in memory, and nothing of it depends on later records."""

    _fall: RewardFall = field(default_factory=lambda: RewardFall())
    _off_course: float = 0.0

    def update(self, step: Step) -> Array:
        """Features after this record. An excused one counts for the reward alone."""
        fall = beyond_usual(self._fall.update(step.reward))
        if not step.excused and (shares := shares_off_course(step)):
            self._off_course += OFF_COURSE_MEMORY * (fmean(shares.values()) - self._off_course)
        return np.array([fall, self._off_course, fall * self._off_course])

    @property
    def reward_fall(self) -> float:
        """Standard errors by which the reward lies below its best."""
        return self._fall.fall


def shares_off_course(step: Step) -> dict[str, float]:
    """Family -> the share of its signals that are off their courses, of those judged now."""
    families: dict[str, list[bool]] = {}
    off = step.excursions.score.max(axis=0, initial=0.0) >= LEAST_EVIDENCE
    judged = np.isfinite(step.residuals.u)
    for place in np.flatnonzero(judged).tolist():
        family = SIGNALS[step.residuals.names[place]].family
        families.setdefault(family, []).append(bool(off[place]))
    return {family: fmean(some) for family, some in families.items()}


def beyond_usual(fall: float) -> float:
    """A fall as a feature: on a logarithm, and nothing up to the usual one.

    >>> beyond_usual(1.5)
    0.0
    >>> round(beyond_usual(5), 3)  # ln 6 - ln 3
    0.693
    """
    return max(0.0, math.log1p(fall) - math.log1p(USUAL))


@dataclass(slots=True)
class RewardFall:
    """How far the reward's moving average lies under its best, in its own standard errors.

    The only feature that knows the reward. `benchmarks/fit_hazard.py` says what the model is worth
    without it.
    """

    _rewards: int = 0
    _level: float = 0.0
    _best: float = -math.inf
    fall: float = 0.0

    def update(self, reward: Reward) -> float:
        """The fall, at most `FAR`; as before where there is no reward."""
        if math.isnan(reward.now):
            return self.fall
        if reward.first:
            self.__init__()
        self._rewards += 1
        self._level += max(REWARD_MEMORY, 1 / self._rewards) * (reward.now - self._level)
        if self._rewards >= AFTER:
            self._best = max(self._best, self._level)
            noise = max(reward.noise, LEAST_NOISE * (self._best - reward.floor))
            error = noise * math.sqrt(REWARD_MEMORY / (2 - REWARD_MEMORY))
            self.fall = min((self._best - self._level) / error, FAR) if error > 0 else 0.0
        return self.fall
