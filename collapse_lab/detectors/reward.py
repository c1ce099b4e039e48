"""The reward that a run is judged by: one for all detectors, followed from record to record."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from collapse_lab.detectors.plausible import Plausible
from collapse_lab.noise import step_noise

REWARDS = ("reward/success_rate", "reward/mean", "reward/penalised_mean")
"""The first of these that a run logs is followed, as `labels.py` prefers it; a success rate
that appears later takes over."""
PARTS = ("reward/accuracy", "reward/format")
"""What a policy is paid for among other things and does not give up as it learns."""
NOISE_MEMORY = 256


@dataclass(slots=True)
class Reward:
    """The first of `names` that a run logs: `now` is this record's, as far as it can be believed
    (`plausible.py`), NaN where it has none.

    `first` says that it is the first one of `signal`: what is known of another, followed before,
    counts no more. `floor` is what a policy earns that has learned nothing: zero for rewards that
    are never negative, else the lowest so far. `noise` is one record's, of the last `NOISE_MEMORY`,
    and zero before there are two.
    """

    names: tuple[str, ...] = REWARDS
    signal: str = ""
    now: float = math.nan
    first: bool = False
    floor: float = 0.0
    noise: float = 0.0
    _last: float = math.nan
    _changes: deque[float] = field(default_factory=lambda: deque(maxlen=NOISE_MEMORY))
    _plausible: Plausible = field(default_factory=Plausible)

    def update(self, values: Mapping[str, float]) -> None:
        signal = followed(values, self.signal, self.names)
        if signal != self.signal:
            self.__init__(self.names, signal)
        reward = values.get(signal, math.nan)
        self.now = self._plausible(reward) if math.isfinite(reward) else math.nan
        self.first = math.isfinite(self.now) and math.isnan(self._last)
        if math.isnan(self.now):
            return
        if not self.first:
            self._changes.append(self.now - self._last)
            self.noise = step_noise(np.fromiter(self._changes, float))
        self._last = self.now
        self.floor = min(self.floor, self.now)


def followed(values: Mapping[str, float], signal: str, names: tuple[str, ...] = REWARDS) -> str:
    """The reward to follow from a record on, where `signal` was followed until then, "" if none.

    >>> followed({"reward/mean": 1.0}, ""), followed({"reward/mean": 1.0}, "reward/success_rate")
    ('reward/mean', 'reward/success_rate')
    """
    preferred = next((name for name in names if name in values), signal)
    better = not signal or names.index(preferred) < names.index(signal)
    return preferred if better else signal
