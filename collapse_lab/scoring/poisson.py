"""What alarms at random times score that alarm on as many healthy runs: exactly, not simulated.

The alarms are a Poisson process: its first time is exponential, so that each record passes without
one with the same chance q, and a run of n records is alarmed on with 1 - q^n. Where dealt alarms
(`chance`) keep the times of a detector's alarms and forget the runs, these forget the times too:
they have nothing of the detector but how many healthy runs it alarms on. In seizure prediction this
is the analytic random predictor at the same rate of false alarms (Schelter et al. 2006).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collapse_lab.scoring.false_alarms import healthy_false_alarm
from collapse_lab.scoring.measures import premature, recall
from collapse_lab.scoring.runs import Horizon, ScoredRun, collapsed, unlimited, usual_horizon

TOLERANCE = 1e-15
"""Of a chance at which the search for it ends."""


@dataclass(frozen=True, slots=True)
class AtRandom:
    """Expected share of the collapsed runs, and the chance of as large a share as the detector's.

    NaN without healthy or without collapsed runs.
    """

    share: float
    as_well: float


def quiet(lengths: Sequence[int], alarmed: float) -> float:
    """Chance that a record passes without an alarm, where of runs of these lengths (in records) a
    share of `alarmed` is expected to have one; NaN of no runs.

    >>> quiet([2], 0.75)
    0.5
    """
    if not lengths or math.isnan(alarmed):
        return math.nan
    records = np.asarray(lengths, float)
    low, high = 0.0, 1.0
    while high - low > TOLERANCE:
        middle = (low + high) / 2
        if np.mean(middle**records) < 1 - alarmed:
            low = middle
        else:
            high = middle
    return high if alarmed < 1 else 0.0


def at_random(runs: Sequence[ScoredRun], lead: float = 0, horizon: Horizon = unlimited) -> AtRandom:
    """What `recall` is of alarms at random times with the healthy false alarms of these runs."""
    windows = [
        (
            math.ceil(max(0, point - run.reach(horizon))),
            math.floor(min(len(run.steps) - 1, point - lead)),
        )
        for run, point in collapsed(runs)
    ]
    return _first_within(windows, runs, recall(runs, lead, horizon).hits)


def premature_at_random(runs: Sequence[ScoredRun], horizon: Horizon = usual_horizon) -> AtRandom:
    """The same for `premature`."""
    windows = [
        (0, math.ceil(max(0, point - run.reach(horizon))) - 1) for run, point in collapsed(runs)
    ]
    return _first_within(windows, runs, premature(runs, horizon).hits)


def _first_within(
    windows: Sequence[tuple[int, int]], runs: Sequence[ScoredRun], hits: int
) -> AtRandom:
    """Of a first alarm in each collapsed run's window of points, ends included."""
    lengths = [len(run.steps) for run in runs if run.collapse is None]
    chance = quiet(lengths, healthy_false_alarm(runs).value)
    if not windows or math.isnan(chance):
        return AtRandom(math.nan, math.nan)
    caught = [chance**first - chance ** max(first, last + 1) for first, last in windows]
    return AtRandom(float(np.mean(caught)), at_least(caught, hits))


def at_least(chances: Sequence[float], hits: int) -> float:
    """P(so many of independent events, or more, happen): the tail of a Poisson binomial.

    >>> at_least([0.5, 0.5], 1)
    0.75
    """
    counts: NDArray[np.float64] = np.ones(1)
    for chance in chances:
        counts = np.convolve(counts, [1 - chance, chance])
    return float(counts[hits:].sum())
