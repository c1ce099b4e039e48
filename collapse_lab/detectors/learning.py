"""What a policy that learns shows, and is no fault while its reward is at its best: it grows sure.

Its entropy falls. Groups come to agree and the divergence from the reference grows, too, but so
they do when a reward is hacked, and they are not excused. Nor is an entropy of nearly nothing,
after which nothing more can be learned.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from collapse_lab.detectors.reward_drop import NOISE_MEMORY, followed
from collapse_lab.noise import step_noise
from collapse_lab.records import Evidence

ENTROPY = "policy/entropy"
WINDOW = 8
"""Records whose mean reward is held against the best such mean."""
NEAR, ERRORS = 0.05, 2.0
"""At its best is a reward that has lost no more than a twentieth of what it had gained, as in
`labels.py`, or than two standard errors."""
EARLY, NEARLY_NOTHING = 8, 0.05
"""Records that the entropy begins with, and the share of it that is nearly nothing: eleven of
the 253 healthy runs of `data/` came to a tenth, four to a twentieth."""


@dataclass(slots=True)
class Learning:
    """Follows the reward that `RewardDrop` follows, and the entropy that the run began with."""

    _signal: str = ""
    _last: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _changes: deque[float] = field(default_factory=lambda: deque(maxlen=NOISE_MEMORY))
    _best: float = -math.inf
    _lowest: float = 0.0
    _entropies: list[float] = field(default_factory=list[float])

    def update(self, values: Mapping[str, float]) -> None:
        entropy = values.get(ENTROPY, math.nan)
        if math.isfinite(entropy) and len(self._entropies) < EARLY:
            self._entropies.append(entropy)
        signal = followed(values, self._signal)
        if signal != self._signal:
            self.__init__(signal, _entropies=self._entropies)
        reward = values.get(signal, math.nan)
        if not math.isfinite(reward):
            return
        if self._last:
            self._changes.append(reward - self._last[-1])
        self._last.append(reward)
        self._lowest = min(self._lowest, reward)
        if len(self._last) == WINDOW:
            self._best = max(self._best, sum(self._last) / WINDOW)

    def at_best(self) -> bool:
        """Whether the last records' mean is about the best of any, however good that is."""
        if len(self._last) < WINDOW:
            return False
        error = step_noise(np.array(self._changes)) * math.sqrt(2 / WINDOW)
        least = self._best - max(NEAR * (self._best - self._lowest), ERRORS * error)
        return sum(self._last) / WINDOW >= least

    def faults(self, evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
        """The evidence without what learning explains."""
        sure = [part for part in evidence if self._is_growing_sure(part)]
        if not sure or not self.at_best():
            return evidence
        return tuple(part for part in evidence if part not in sure)

    def _is_growing_sure(self, part: Evidence) -> bool:
        if part.signal != ENTROPY or part.direction != "down":
            return False
        return part.observed > NEARLY_NOTHING * median(self._entropies)
