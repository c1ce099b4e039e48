"""One reward's loss: the means of its last records, over a ladder of windows, against its best.

`RewardDrop` says what must be lost and how surely.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from collapse_lab.detectors.excursions import FAR_BEYOND
from collapse_lab.detectors.reward import Reward
from collapse_lab.knee import fall
from collapse_lab.records import Evidence
from collapse_lab.signals import SIGNALS

WINDOWS = (3, 5, 8, 13, 21, 34, 55, 89, 144)
LEAST_REFERENCE = 4
LOST, LOST_FOR_LONG, REGAINED = 0.5, 0.25, 0.8
"""Of the gain: what must be gone for an alarm, what for one over LONG records or more, and what be
there again before the next one. A fall that takes a hundred records is told before its half."""
LONG = 21
BACK_FOR = 13
"""Records whose mean must have come back."""
LEAST_LOSS = 0.25
"""Of the best reward itself: rewards that are all of one size have no gain to lose half of."""
LIMIT_ALONE, LIMIT_UNKNOWN_FLOOR = 8.5, 10.0
CORROBORATION, MOST_FAMILIES = 1.5, 3
"""Standard errors that one more family off its course is worth, and how many of them count."""
LEAST_NOISE = 0.125


@dataclass(frozen=True, slots=True)
class Drop:
    """How far the mean of the last `window` records lies under the best before it."""

    window: int
    best: float
    now: float
    deviations: float
    lost: float
    """Share of the gain."""

    def surely_lost(self, limit: float) -> float:
        """The same, `limit` standard errors less."""
        return self.lost * (1 - limit / self.deviations)


@dataclass(slots=True)
class Ladder:
    """`score` is what `RewardDrop` says of it; `fallen` is the drop that was told, until the reward
    has come back."""

    score: float = 0.0
    fallen: Drop | None = None
    _reward: Reward = field(default_factory=Reward)
    _sums: deque[float] = field(default_factory=lambda: deque([0.0], maxlen=3 * max(WINDOWS) + 1))
    _steps: deque[int] = field(default_factory=lambda: deque(maxlen=3 * max(WINDOWS)))
    _best: dict[int, float] = field(default_factory=dict[int, float])
    _since: int = 0

    def update(
        self, reward: Reward, step: int, others: Callable[[], tuple[Evidence, ...]], least: float
    ) -> Drop | None:
        """The surest drop, where it is one to tell: its score is `least` or more, and none that was
        told before lasts. `others`: what else is off its course, asked for where enough is lost."""
        if math.isnan(reward.now):
            return None
        if reward.first:
            self.__init__()
        self._reward = reward
        self._sums.append(self._sums[-1] + reward.now)
        self._steps.append(step)
        if self.fallen is not None and self._has_come_back(self.fallen):
            self._forget()
        drops = self._drops()
        if not drops:
            self.score = 0.0
            return None
        families = min(MOST_FAMILIES, len({part.family for part in others()}))
        limit = LIMIT_ALONE - CORROBORATION * families
        limit = LIMIT_UNKNOWN_FLOOR if reward.floor < 0 else limit
        drop = max(drops, key=lambda one: one.deviations)
        self.score = drop.deviations / limit
        if self.score >= 1.0:
            self.score = 1.0 + max(one.surely_lost(limit) for one in drops)
        if self.fallen is not None or self.score < least:
            return None
        self.fallen, self._since = drop, 0
        return drop

    def _has_come_back(self, drop: Drop) -> bool:
        self._since += 1
        if self._since < BACK_FOR:
            return False
        now = (self._sums[-1] - self._sums[-1 - BACK_FOR]) / BACK_FOR
        return now >= self._regained(drop)

    def _regained(self, drop: Drop) -> float:
        """The reward that counts as come back."""
        return self._reward.floor + REGAINED * (drop.best - self._reward.floor)

    def _forget(self) -> None:
        """A dip that is over is in no window any more; the best of before it still counts."""
        self.fallen = None
        self._sums = deque([self._sums[-1]], maxlen=self._sums.maxlen)
        self._steps.clear()

    def _reference(self, window: int) -> int:
        """Records before the last `window` that they are held against."""
        return min(max(5, 2 * window), len(self._steps) - window)

    def _drops(self) -> list[Drop]:
        """The windows of the ladder that lost enough."""
        sums, count, drops = self._sums, len(self._steps), list[Drop]()
        if count < LEAST_REFERENCE + WINDOWS[0]:
            return drops
        noise, floor = self._reward.noise, self._reward.floor
        for window in WINDOWS:
            reference = self._reference(window)
            if reference < min(LEAST_REFERENCE, window) or count - window < LEAST_REFERENCE:
                break
            before = sums[-1 - window]
            past = (before - sums[-1 - window - reference]) / reference
            best = self._best[window] = max(self._best.get(window, -math.inf), past)
            now = (sums[-1] - before) / window
            least = LOST if window < LONG else LOST_FOR_LONG
            lost = best - now > max(least * (best - floor), LEAST_LOSS * abs(best))
            error = max(noise, LEAST_NOISE * (best - floor)) * math.sqrt(1 / window + 1 / reference)
            if lost and error > 0:
                share = (best - now) / (best - floor)
                drops.append(Drop(window, best, now, (best - now) / error, share))
        return drops

    def evidence(self, drop: Drop) -> tuple[Evidence, tuple[int, int]]:
        """What the reward itself shows of it, and between which steps the fall began."""
        rewards = np.diff(np.array(self._sums))
        began = fall(rewards, drop.window, self._reference(drop.window))
        since, low, high = (self._steps[i] for i in (began.at, began.low, began.high))
        band = (drop.best - drop.now) / drop.deviations * FAR_BEYOND
        least = max(drop.best - band, self._regained(drop))
        fallen = rewards[began.at :]
        part = Evidence(
            signal=self._reward.signal,
            family=SIGNALS[self._reward.signal].family,
            since=since,
            observed=drop.now,
            expected=drop.best,
            low=least,
            high=drop.best + band,
            direction="down",
            score=round(drop.deviations, 2),
            bad_steps=int((fallen < least).sum()),
            steps=len(fallen),
        )
        return part, (low, high)
