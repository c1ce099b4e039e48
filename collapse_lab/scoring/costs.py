"""What a detector is worth to whoever stops a run at its first alarm."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from collapse_lab.scoring.runs import ScoredRun, collapsed

COST_RATIOS = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Cost of a false alarm over that of a collapse nobody was warned of."""


def precision(recall: float, premature: float, false_alarm: float, prevalence: float) -> float:
    """Share of first alarms that are right, where `prevalence` of all runs collapse; NaN of none.

    A premature alarm is as wrong as one in a healthy run. What is told later than `recall` counts
    is neither.

    >>> round(precision(recall=0.5, premature=0.1, false_alarm=0.05, prevalence=0.1), 3)
    0.476
    """
    true, false = recall * prevalence, premature * prevalence + false_alarm * (1 - prevalence)
    return true / (true + false) if true + false else math.nan


def net_benefit(
    recall: float, premature: float, false_alarm: float, prevalence: float, ratio: float
) -> float:
    """Share of the cost of all collapses that a detector avoids, its false alarms paid for.

    1 is perfect, 0 is a detector that never speaks, below 0 is worse than none. `ratio` is the
    cost of a false alarm over that of a missed collapse, `recall` and `premature` are shares of
    the collapsed runs, and a premature alarm costs as much as one in a healthy run. Over ratios
    this is the decision curve, standardised (Vickers and Elkin 2006; Kerr et al. 2016).

    >>> round(net_benefit(recall=0.5, premature=0, false_alarm=0.05, prevalence=0.1, ratio=1), 3)
    0.05
    """
    false = premature + false_alarm * (1 - prevalence) / prevalence
    return recall - ratio * false


def compute_saved(runs: Sequence[ScoredRun]) -> float:
    """Mean share of a collapsed run's points left when stopped at its first alarm; NaN of none."""
    saved = [
        1 - min(run.first + 1, len(run.steps)) / len(run.steps)
        for run, _ in collapsed(runs)
        if run.steps
    ]
    return float(np.mean(saved)) if saved else math.nan


def compute_lost(runs: Sequence[ScoredRun]) -> float:
    """Mean share of a healthy run's points lost when stopped at its first alarm; NaN of none."""
    lost = [
        1 - min(run.first + 1, len(run.steps)) / len(run.steps)
        for run in runs
        if run.collapse is None and run.steps
    ]
    return float(np.mean(lost)) if lost else math.nan
