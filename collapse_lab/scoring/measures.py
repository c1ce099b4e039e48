"""Alarms against collapses: how many were foreseen, and how long before.

A detector is judged by the run: how many of the collapsed ones had its *first* alarm by the
collapse point. Leads are in points, and also in the run's own steps. What is undefined is NaN,
never zero.

The measures are those of event prediction in medicine (ICU, seizures), where a lead quoted without
the rate of false alarms behind it has misled before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from collapse_lab.scoring.runs import Horizon, ScoredRun, collapsed, unlimited, usual_horizon
from collapse_lab.scoring.shares import Share

LEADS = (50, 30, 20, 10, 5, 0, -5, -10)
"""Points before the collapse at which the lead-recall curve is read."""


def recall(
    runs: Sequence[ScoredRun],
    lead: float = 0,
    horizon: Horizon = unlimited,
    rearm: bool = False,
) -> Share:
    """Collapsed runs whose first alarm came at least `lead` points before the collapse.

    0 is early recall (at the collapse point still counts), -10 is recall by ten points after it.
    A first alarm before the horizon is premature and a miss. With `rearm` a run that was alarmed
    on too soon may still be caught by a later alarm.
    """
    fallen = collapsed(runs)
    caught = sum(caught_early(run, lead, horizon, rearm) for run, _ in fallen)
    return Share(caught, len(fallen))


def caught_early(
    run: ScoredRun, lead: float = 0, horizon: Horizon = unlimited, rearm: bool = False
) -> bool:
    """Whether `recall` counts this run; False for a healthy one."""
    point = run.collapse
    return point is not None and any(
        lead <= point - alarm <= run.reach(horizon)
        for alarm in (run.alarms if rearm else run.alarms[:1])
    )


def early_recall(runs: Sequence[ScoredRun], rearm: bool = False) -> Share:
    """First alarm in [onset - H, onset), H the usual horizon; `collapse` has to be the onset.

    An alarm at the onset itself is late: the fall has begun.
    """
    return recall(runs, 1, usual_horizon, rearm)


def late_recall(runs: Sequence[ScoredRun], late: float = 10, rearm: bool = False) -> Share:
    """First alarm in [onset - H, onset + late]."""
    return recall(runs, -late, usual_horizon, rearm)


def lead_recall(
    runs: Sequence[ScoredRun], leads: Sequence[float] = LEADS, horizon: Horizon = unlimited
) -> dict[float, Share]:
    """Recall at each lead: how much warning one can count on, how often."""
    return {lead: recall(runs, lead, horizon) for lead in leads}


def premature(runs: Sequence[ScoredRun], horizon: Horizon = usual_horizon) -> Share:
    """Collapsed runs whose first alarm came before the horizon: about something else, or luck."""
    fallen = collapsed(runs)
    return Share(
        sum(bool(run.alarms) and point - run.first > run.reach(horizon) for run, point in fallen),
        len(fallen),
    )


def leads(
    runs: Sequence[ScoredRun], unit: Literal["points", "steps"] = "points"
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Collapse minus first alarm, one per collapse that was not gradual: negative is late, NaN is
    never."""
    sudden = [(run, point) for run, point in collapsed(runs) if not run.gradual]
    return np.array([_lead(run, point, unit) for run, point in sudden], dtype=float)


def early_leads(
    runs: Sequence[ScoredRun],
    unit: Literal["points", "steps"] = "points",
    least: float = 0,
    horizon: Horizon = unlimited,
) -> tuple[float, float, float]:
    """Quartiles (lower, median, upper) of the leads of the runs that `recall` counts; NaN of none.

    They flatter: a detector that catches one collapse of ten may show a long one.
    """
    early = leads([run for run in runs if caught_early(run, least, horizon)], unit)
    if not early.size:
        return math.nan, math.nan, math.nan
    low, middle, high = np.percentile(early, (25, 50, 75)).tolist()
    return low, middle, high


def median_early_lead(
    runs: Sequence[ScoredRun], unit: Literal["points", "steps"] = "points"
) -> float:
    """Median lead of the runs that were flagged by their collapse; NaN when none was."""
    return early_leads(runs, unit)[1]


def median_lead(runs: Sequence[ScoredRun], unit: Literal["points", "steps"] = "points") -> float:
    """Median lead over all collapsed runs, a late or missed one counting as 0; NaN of no runs."""
    every = np.maximum(np.nan_to_num(leads(runs, unit)), 0.0)
    return float(np.median(every)) if every.size else math.nan


def expected_lead(
    runs: Sequence[ScoredRun],
    unit: Literal["points", "steps"] = "points",
    horizon: Horizon = unlimited,
) -> float:
    """Mean lead over all collapsed runs; a late, missed or premature one counts as 0. NaN of no
    runs."""
    sudden = [run for run in runs if not run.gradual]
    every = np.maximum(np.nan_to_num(leads(sudden, unit)), 0.0)
    caught = [caught_early(run, 0, horizon) for run, _ in collapsed(sudden)]
    return float(np.mean(every * caught)) if every.size else math.nan


def recall_by_luck(runs: Sequence[ScoredRun], lead: float = 0) -> float:
    """Share of healthy runs alarmed on by the points at which the collapsed ones are judged.

    For each collapse, the share of healthy runs that had an alarm by that same point: what
    `recall` would show if alarms had nothing to do with collapses. A recall that is not well
    above it is no skill, however high. NaN when there are no healthy or no collapsed runs.
    """
    first = np.array([run.first for run in runs if run.collapse is None])
    fallen = collapsed(runs)
    if not first.size or not fallen:
        return math.nan
    return float(np.mean([np.mean(first <= point - lead) for _, point in fallen]))


def _lead(run: ScoredRun, collapse: int, unit: Literal["points", "steps"]) -> float:
    if not run.alarms:
        return math.nan
    if unit == "points":
        return collapse - run.alarms[0]
    return run.steps[collapse] - run.steps[run.alarms[0]]
