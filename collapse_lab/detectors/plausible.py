"""A reward as far as it can be believed: one freak batch is no level.

A grader that fails once may answer -5 or 1e20 where rewards lie between 0 and 1. Taken as it stands
it is the worst or the best that the run has ever seen, and what follows is judged by it for good.
So a reward may leave the range of what two records on end have shown by that range again, upwards
by three such, and no more; where that range has nothing below zero, zero is always believed. A real
change of level is known two records later.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

KNOWN = 16
"""Records after which the range is one; before, everything is believed."""
BELOW, ABOVE = 1.0, 3.0
"""Ranges. A lone bad batch must not be half of a gain lost over three records."""


@dataclass(slots=True)
class Plausible:
    """`low` and `high` are bounds that two records in a row have reached."""

    low: float = math.inf
    high: float = -math.inf
    _last: float = math.nan
    _records: int = 0

    def __call__(self, reward: float) -> float:
        """The finite reward, or as near to it as can be believed.

        >>> plausible = Plausible()
        >>> levels = [plausible(0.5 + 0.1 * (step % 4)) for step in range(20)]
        >>> [round(plausible(reward), 3) for reward in (-5.0, 0.6, 9.0, 9.0, 9.0, 9.0)]
        [0.0, 0.6, 1.0, 1.0, 2.2, 2.2]
        """
        span = self.high - self.low
        if self._records >= KNOWN and span > 0:
            least = self.low - BELOW * span
            least = min(least, 0.0) if self.low >= 0 else least
            reward = min(max(reward, least), self.high + ABOVE * span)
        if self._records:
            self.high = max(self.high, min(self._last, reward))
            self.low = min(self.low, max(self._last, reward))
        self._records += 1
        self._last = reward
        return reward
