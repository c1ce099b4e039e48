"""What the panel sees at one record, without saying which family sees it.

The hazard model is given numbers that mean the same in every framework and every failure: how far
the most deviant family is off its course, how far the second, how far the third. Which family that
is, the scale of a signal, the number of the step, the length of the run and its configuration are
not among them, so that a model cannot learn what collapses look like in one trainer only.

A channel is one number a family; its three largest over families are features. The larger, the
worse, for every feature: a model with nonnegative weights is monotone in the evidence.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from collapse_lab.detectors.base import Step
from collapse_lab.detectors.frontend import Array
from collapse_lab.detectors.reward_drop import LEAST_NOISE, REWARDS
from collapse_lab.noise import step_noise
from collapse_lab.signals import SIGNALS

RANKS = 3
MEMORIES = {"fast": 0.3, "medium": 0.1, "slow": 0.03}
"""Weight of the newest deviation in each moving average."""
CHANNELS = (*MEMORIES, "cusum", "burst")
REWARD_FALL = "reward below its best"
NAMES = (
    *(f"{channel} {rank}" for channel in CHANNELS for rank in range(1, RANKS + 1)),
    "families off course",
    REWARD_FALL,
)

CLIP = 4.0
"""One spike counts no more than this many healthy spreads."""
RECENT, EARLIER = 16, 64
"""Records that count as now, and how many before them say what is usual."""
BURSTS = (4, 8, 16, 32, 64)
USUAL, USUAL_WEIGHT = 1.0, 16.0
"""The deviation of a healthy family (the largest of its signals), and the records it counts for
before the run has shown its own."""
OFF_COURSE = 1.0
REWARD_MEMORY, REWARD_NOISE_MEMORY, REWARD_AFTER = 0.3, 256, 5
FAR = 20.0
"""Step noises below its best at which a reward is simply gone."""


@dataclass(slots=True)
class Features:
    """`update` gives the features of a record, an array aligned with `NAMES`; all of them zero
    while nothing is judged. Constant in memory, and nothing of it depends on later records."""

    _families: dict[str, int] = field(default_factory=dict[str, int])
    _averages: Array = field(default_factory=lambda: np.zeros((len(MEMORIES), 0)))
    _recent: Array = field(default_factory=lambda: np.zeros((0, RECENT + EARLIER)))
    _count: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    _reward: RewardFall = field(default_factory=lambda: RewardFall())

    def update(self, step: Step) -> Array:
        """Features after this record. An excused one counts for the reward alone."""
        fall = self._reward.update(step)
        if not step.excused:
            for family in step.deviations:
                self._add(family)
            self._deviate(step.deviations)
        channels = np.vstack([np.maximum(0, self._averages), self._cusums(step), self._bursts()])
        padded = np.pad(channels, ((0, 0), (0, RANKS)))
        largest = -np.sort(-padded, axis=1)[:, :RANKS]
        off = float(np.sum(self._averages[list(MEMORIES).index("medium")] > OFF_COURSE))
        return np.concatenate([largest.ravel(), [off, fall]])

    def _deviate(self, deviations: dict[str, float]) -> None:
        rows = np.array([self._families[family] for family in deviations], np.int64)
        now = np.clip(np.array(list(deviations.values())), -CLIP, CLIP)
        off = now - self._usual()[rows]
        for average, weight in zip(self._averages, MEMORIES.values(), strict=True):
            average[rows] += weight * (off - average[rows])
        self._recent[rows, :-1] = self._recent[rows, 1:]
        self._recent[rows, -1] = now
        self._count[rows] += 1

    def _usual(self) -> Array:
        """Each family's mean deviation before the recent records."""
        count = np.minimum(np.maximum(self._count - RECENT, 0), EARLIER)
        return (USUAL_WEIGHT * USUAL + self._recent[:, :EARLIER].sum(axis=1)) / (
            USUAL_WEIGHT + count
        )

    def _cusums(self, step: Step) -> Array:
        """The largest excursion of each family's signals, on a logarithm."""
        largest = np.zeros(len(self._families))
        scores = step.excursions.score.max(axis=0).tolist()
        for name, score in zip(step.residuals.names, scores, strict=True):
            row = self._families.get(SIGNALS[name].family)
            if row is not None and score > largest[row]:
                largest[row] = score
        return np.log1p(largest)

    def _bursts(self) -> Array:
        """Each family's largest excess over the usual, of the last 4 to 64 deviations, in standard
        errors."""
        past = np.cumsum(self._recent[:, ::-1], axis=1)
        usual = self._usual()
        excess = [
            np.where(self._count >= n, (past[:, n - 1] - n * usual) / math.sqrt(n), 0.0)
            for n in BURSTS
        ]
        return np.maximum(0, np.max(excess, axis=0))

    def _add(self, family: str) -> None:
        if family in self._families:
            return
        self._families[family] = len(self._families)
        self._averages = np.hstack([self._averages, np.zeros((len(MEMORIES), 1))])
        self._recent = np.vstack([self._recent, np.zeros((1, RECENT + EARLIER))])
        self._count = np.append(self._count, 0)


@dataclass(slots=True)
class RewardFall:
    """How far the reward's moving average lies under its best, in its own step noise.

    The only feature that knows the reward. `benchmarks/fit_hazard.py` says what the model is worth
    without it.
    """

    _signal: str = ""
    _level: float = math.nan
    _best: float = -math.inf
    _lowest: float = math.inf
    _last: float = math.nan
    _changes: deque[float] = field(default_factory=lambda: deque(maxlen=REWARD_NOISE_MEMORY))
    fall: float = 0.0

    def update(self, step: Step) -> float:
        """The fall, in standard deviations of one record; as before where there is no reward."""
        values = step.record.values
        preferred = next((name for name in REWARDS if name in values), self._signal)
        if not self._signal or REWARDS.index(preferred) < REWARDS.index(self._signal):
            self.__init__(preferred)
        reward = values.get(self._signal, math.nan)
        if not math.isfinite(reward):
            return self.fall
        if math.isfinite(self._last):
            self._changes.append(reward - self._last)
            self._level += REWARD_MEMORY * (reward - self._level)
        else:
            self._level = reward
        self._last, self._lowest = reward, min(self._lowest, reward)
        if len(self._changes) < REWARD_AFTER:
            return self.fall
        self._best = max(self._best, self._level)
        noise = step_noise(np.fromiter(self._changes, float))
        noise = max(noise, LEAST_NOISE * (self._best - min(0.0, self._lowest)))
        self.fall = min((self._best - self._level) / noise, FAR) if noise > 0 else 0.0
        return self.fall
