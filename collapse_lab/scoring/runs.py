"""One run as the scores see it: where it collapsed, where there were alarms, which were about it.

Places in a run are indices of records ("points"), because a log may hold one line for five steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Horizon = Callable[[int], float]
"""Collapse point -> how many points before it an alarm may be and still be about it."""


@dataclass(frozen=True, slots=True)
class ScoredRun:
    """One run as the scores see it.

    `steps` are the training steps of its records. `alarms` are the points after which alarms
    were raised, ascending. `collapse` is the point of collapse, None in a run that did not. A
    `gradual` collapse has no point to be early for: any alarm before it counts, and it has no lead.
    """

    steps: Sequence[int]
    alarms: Sequence[int]
    collapse: int | None = None
    gradual: bool = False

    @property
    def first(self) -> float:
        """Point of the first alarm; infinite when there was none."""
        return self.alarms[0] if self.alarms else math.inf

    def reach(self, horizon: Horizon) -> float:
        """How many points before its collapse an alarm may be and still be about it."""
        return math.inf if self.gradual or self.collapse is None else horizon(self.collapse)


def unlimited(collapse: int) -> float:
    """Any alarm before the collapse is about it."""
    return math.inf


def usual_horizon(collapse: int) -> float:
    """A quarter of the run so far, at most 100 points.

    >>> usual_horizon(40), usual_horizon(4000)
    (10.0, 100.0)
    """
    return min(100.0, 0.25 * collapse)


def collapsed(runs: Sequence[ScoredRun]) -> list[tuple[ScoredRun, int]]:
    """The runs that did, each with its point of collapse."""
    return [(run, run.collapse) for run in runs if run.collapse is not None]


def point_of(steps: Sequence[int], step: float) -> int:
    """Index of the first record at or after a step; the last record's when all are before.

    In a run that was resumed, steps repeat, and the last attempt is the one that counts.
    """
    array = np.asarray(steps)
    restarts = np.flatnonzero(np.diff(array) < 0)
    start = int(restarts[-1]) + 1 if restarts.size and array[restarts[-1] + 1] <= step else 0
    reached = np.flatnonzero(array[start:] >= step)
    return start + int(reached[0]) if reached.size else len(array) - 1
