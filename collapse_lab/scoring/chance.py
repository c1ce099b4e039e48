"""What alarms that know nothing would score. A score that is not well above these is no skill."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from collapse_lab.scoring.runs import ScoredRun

PERIOD = 100
DEALS = 500


def never(run: ScoredRun) -> ScoredRun:
    """The run without any alarm."""
    return replace(run, alarms=())


def always(run: ScoredRun) -> ScoredRun:
    """The run with an alarm after every record."""
    return replace(run, alarms=range(len(run.steps)))


def periodic(run: ScoredRun, period: int = PERIOD) -> ScoredRun:
    """The run with an alarm after every `period` records."""
    return replace(run, alarms=range(period - 1, len(run.steps), period))


def delayed(run: ScoredRun, by: int) -> ScoredRun:
    """The run with its alarms so many records later: what sees the collapse coming gets worse,
    and what profits from a leak may not."""
    end = len(run.steps)
    return replace(run, alarms=tuple(alarm + by for alarm in run.alarms if alarm + by < end))


def dealt(
    runs: Sequence[ScoredRun], deals: int = DEALS, seed: int = 0
) -> Iterator[list[ScoredRun]]:
    """The same alarms given to runs at random, `deals` times: as loud, and blind.

    Alarms beyond the end of the run they were dealt to are lost.
    """
    random = np.random.default_rng(seed)
    for _ in range(deals):
        order: list[int] = random.permutation(len(runs)).tolist()
        yield [
            replace(run, alarms=tuple(a for a in runs[other].alarms if a < len(run.steps)))
            for run, other in zip(runs, order, strict=True)
        ]


def by_chance(
    runs: Sequence[ScoredRun],
    measure: Callable[[Sequence[ScoredRun]], float],
    deals: int = DEALS,
    seed: int = 0,
) -> tuple[float, float]:
    """Mean of a measure over dealt alarms, and the chance that those do as well as the real ones.

    The chance is a permutation p-value, never below 1 / (deals + 1). NaN where the measure is.
    """
    real = measure(runs)
    if math.isnan(real):
        return math.nan, math.nan
    found = np.array([measure(blind) for blind in dealt(runs, deals, seed)])
    as_well = np.count_nonzero(found >= real)
    return float(found.mean()), (1 + as_well) / (1 + deals)
