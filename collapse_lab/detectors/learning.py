"""What a policy that learns shows, and is no fault while its reward is at its best: it grows sure.

Its entropy falls. Groups come to agree and the divergence from the reference grows, too, but so
they do when a reward is hacked, and they are not excused. Nor is an entropy of nearly nothing,
after which nothing more can be learned.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from statistics import median

from collapse_lab.detectors.base import Step
from collapse_lab.detectors.reward import Reward
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
    """The last rewards against the best ones, and the entropy that the run began with."""

    _reward: Reward = field(default_factory=Reward)
    _last: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _best: float = -math.inf
    _entropies: list[float] = field(default_factory=list[float])

    def update(self, step: Step) -> None:
        entropy = step.record.values.get(ENTROPY, math.nan)
        if math.isfinite(entropy) and len(self._entropies) < EARLY:
            self._entropies.append(entropy)
        if math.isnan(step.reward.now):
            return
        if step.reward.first:
            self.__init__(step.reward, _entropies=self._entropies)
        self._reward = step.reward
        self._last.append(step.reward.now)
        if len(self._last) == WINDOW:
            self._best = max(self._best, sum(self._last) / WINDOW)

    def at_best(self) -> bool:
        """Whether the last records' mean is about the best of any, however good that is."""
        if len(self._last) < WINDOW:
            return False
        error = self._reward.noise * math.sqrt(2 / WINDOW)
        least = self._best - max(NEAR * (self._best - self._reward.floor), ERRORS * error)
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
