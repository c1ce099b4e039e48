"""What a run's signals were like before a change and are like now, for those that name its cause.

Residuals say that a signal has left its course; which mechanism it was also depends on levels: is
anything clipped at all, did trainer and sampler agree when the run began, is the rate still rising.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from collapse_lab.detectors.scale import to_scale
from collapse_lab.noise import step_noise
from collapse_lab.records import Record
from collapse_lab.signals import SIGNALS

Array = NDArray[np.float64]

KEPT, EARLY = 256, 8
"""Records remembered: the last, and the first."""
BEFORE, NOW = 24, 5
"""Records on either side of a change that its two levels are taken from."""
LEAST = {"log": math.log(1.25), "logit": 0.4, "identity": 1e-6}
"""On a signal's scale: a smaller shift is no move, however quiet the signal is."""
ERRORS = 4.0
"""Standard errors that a move has to be beyond."""


@dataclass(frozen=True, slots=True)
class Levels:
    """One signal: its `first` number in this run and its `last_before` a change, and medians of its
    `early` records, of those `before` the change and of those `now`; NaN where there is none.

    `moved` says how it is now against before the change, `drifted` against its early records, ""
    where the difference is no more than noise.
    """

    first: float = math.nan
    early: float = math.nan
    before: float = math.nan
    now: float = math.nan
    last_before: float = math.nan
    moved: Literal["up", "down", ""] = ""
    drifted: Literal["up", "down", ""] = ""


@dataclass(slots=True)
class History:
    """The first and the last records of the signals in `names`."""

    names: tuple[str, ...]
    _early: list[list[float]] = field(init=False)
    _steps: NDArray[np.int64] = field(init=False)
    _values: Array = field(init=False)
    _count: int = 0

    def __post_init__(self) -> None:
        self._early = [[] for _ in self.names]
        self._steps = np.zeros(KEPT, np.int64)
        self._values = np.full((KEPT, len(self.names)), np.nan)

    def update(self, record: Record) -> None:
        self._steps[:-1], self._values[:-1] = self._steps[1:], self._values[1:]
        self._steps[-1] = record.step
        self._count = min(self._count + 1, KEPT)
        for column, (name, early) in enumerate(zip(self.names, self._early, strict=True)):
            value = record.values.get(name, math.nan)
            self._values[-1, column] = value
            if len(early) < EARLY and math.isfinite(value):
                early.append(value)

    def levels(self, name: str, since: int) -> Levels:
        """`since` is the step of the first record that may have changed."""
        column = self._values[KEPT - self._count :, self.names.index(name)]
        changed = self._steps[KEPT - self._count :] >= since
        early = np.array(self._early[self.names.index(name)])
        before = _finite(column[~changed][-BEFORE:])
        now = _finite(column[changed])[-NOW:]
        return Levels(
            first=float(early[0]) if len(early) else math.nan,
            early=_middle(early),
            before=_middle(before),
            now=_middle(now),
            last_before=float(before[-1]) if len(before) else math.nan,
            moved=_shift(name, before, now),
            drifted=_shift(name, early, now),
        )


def _middle(column: Array) -> float:
    return float(np.median(column)) if len(column) else math.nan


def _finite(column: Array) -> Array:
    return column[np.isfinite(column)]


def _shift(name: str, old: Array, new: Array) -> Literal["up", "down", ""]:
    """By the difference of medians on the signal's scale; noise is taken from the old records."""
    x, y = (_finite(np.array([to_scale(SIGNALS[name], v) for v in part])) for part in (old, new))
    if len(x) < 3 or not len(y):
        return ""
    with np.errstate(over="ignore", invalid="ignore"):  # numbers near the largest are noise enough
        error = step_noise(np.diff(x)) * math.sqrt(math.pi / 2 * (1 / len(x) + 1 / len(y)))
    shift = float(np.median(y) - np.median(x))
    if abs(shift) <= max(LEAST[SIGNALS[name].transform], ERRORS * error):
        return ""
    return "up" if shift > 0 else "down"
