"""Steps that a program counts anew in every epoch -> steps of the whole run."""

from __future__ import annotations

import math


class EpochSteps:
    """Goes on where the last epoch ended.

    A step that goes back while the epoch goes up is one within its epoch. Where the epoch does not
    go up the run was resumed, and its steps have the places that they had before.
    """

    def __init__(self) -> None:
        self._begun: list[tuple[float, int]] = []
        """Epochs whose steps were counted anew, and what is added to those."""
        self._epoch, self._last = -math.inf, -1

    def place(self, epoch: float, step: int) -> int:
        """Step of the whole run for a step of an epoch."""
        added = next((added for begun, added in reversed(self._begun) if begun <= epoch), 0)
        is_back = added + step < self._last or (self._begun and added + step == self._last)
        if epoch > self._epoch and is_back:
            added = self._last + 1 - step
            self._begun.append((epoch, added))
        self._epoch, self._last = epoch, added + step
        return self._last
