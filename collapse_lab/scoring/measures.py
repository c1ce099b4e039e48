"""Alarms against labels: pure functions from runs to shares, leads and rates.

A detector is judged by the run: of the healthy ones, how many did it ever alarm on; of the
collapsed ones, how many had its *first* alarm by the collapse point, and how long before. Places
in a run are indices of records ("points"), because a log may hold one line for five steps, and
leads are also given in the run's own steps. What is undefined is NaN, never zero.

The measures are those of event prediction in medicine (ICU, seizures), where a lead quoted without
the rate of false alarms behind it has misled before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from collapse_lab.scoring.shares import Share

REFRACTORY = 20
"""Points after an alarm in which further alarms belong to the same event."""
Horizon = Callable[[int], float]
"""Collapse point -> how many points before it an alarm may be and still be about it."""
LEADS = (50, 30, 20, 10, 5, 0, -5, -10)
"""Points before the collapse at which the lead-recall curve is read."""


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


def unlimited(collapse: int) -> float:
    """Any alarm before the collapse is about it."""
    return math.inf


def usual_horizon(collapse: int) -> float:
    """A quarter of the run so far, at most 100 points.

    >>> usual_horizon(40), usual_horizon(4000)
    (10.0, 100.0)
    """
    return min(100.0, 0.25 * collapse)


def healthy_false_alarm(runs: Sequence[ScoredRun]) -> Share:
    """Healthy runs that were ever alarmed on, however often."""
    healthy = [run for run in runs if run.collapse is None]
    return Share(sum(bool(run.alarms) for run in healthy), len(healthy))


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
    collapsed = _collapsed(runs)
    caught = sum(caught_early(run, lead, horizon, rearm) for run, _ in collapsed)
    return Share(caught, len(collapsed))


def caught_early(
    run: ScoredRun, lead: float = 0, horizon: Horizon = unlimited, rearm: bool = False
) -> bool:
    """Whether `recall` counts this run; False for a healthy one."""
    point = run.collapse
    return point is not None and any(
        lead <= point - alarm <= _reach(run, point, horizon)
        for alarm in (run.alarms if rearm else run.alarms[:1])
    )


def early_recall(runs: Sequence[ScoredRun]) -> Share:
    """First alarm in [onset - H, onset), H the usual horizon; `collapse` has to be the onset.

    An alarm at the onset itself is late: the fall has begun.
    """
    return recall(runs, 1, usual_horizon)


def late_recall(runs: Sequence[ScoredRun], late: float = 10) -> Share:
    """First alarm in [onset - H, onset + late]."""
    return recall(runs, -late, usual_horizon)


def lead_recall(
    runs: Sequence[ScoredRun], leads: Sequence[float] = LEADS, horizon: Horizon = unlimited
) -> dict[float, Share]:
    """Recall at each lead: how much warning one can count on, how often."""
    return {lead: recall(runs, lead, horizon) for lead in leads}


def premature(runs: Sequence[ScoredRun], horizon: Horizon = usual_horizon) -> Share:
    """Collapsed runs whose first alarm came before the horizon: about something else, or luck."""
    collapsed = _collapsed(runs)
    return Share(
        sum(
            bool(run.alarms) and point - run.first > _reach(run, point, horizon)
            for run, point in collapsed
        ),
        len(collapsed),
    )


def leads(
    runs: Sequence[ScoredRun], unit: Literal["points", "steps"] = "points"
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Collapse minus first alarm, one per collapse that was not gradual: negative is late, NaN is
    never."""
    sudden = [(run, point) for run, point in _collapsed(runs) if not run.gradual]
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
    caught = [caught_early(run, 0, horizon) for run, _ in _collapsed(sudden)]
    return float(np.mean(every * caught)) if every.size else math.nan


def false_alarms_per_thousand(
    runs: Sequence[ScoredRun], refractory: int = REFRACTORY, horizon: Horizon = usual_horizon
) -> float:
    """Alarms per 1,000 healthy points, repeats within `refractory` points counting once.

    Healthy points are those of healthy runs and those of collapsed runs before their horizon.
    NaN when there are none.
    """
    alarms = points = 0
    for run in runs:
        end = len(run.steps)
        if run.collapse is not None:
            end = math.ceil(max(0.0, run.collapse - _reach(run, run.collapse, horizon)))
        points += end
        last = -math.inf
        for alarm in run.alarms:
            if alarm < end and alarm - last >= refractory:
                alarms, last = alarms + 1, alarm
    return 1000 * alarms / points if points else math.nan


def recall_by_luck(runs: Sequence[ScoredRun], lead: float = 0) -> float:
    """Share of healthy runs alarmed on by the points at which the collapsed ones are judged.

    For each collapse, the share of healthy runs that had an alarm by that same point: what
    `recall` would show if alarms had nothing to do with collapses. A recall that is not well
    above it is no skill, however high. NaN when there are no healthy or no collapsed runs.
    """
    first = np.array([run.first for run in runs if run.collapse is None])
    collapsed = _collapsed(runs)
    if not first.size or not collapsed:
        return math.nan
    return float(np.mean([np.mean(first <= point - lead) for _, point in collapsed]))


def precision(recall: float, false_alarm: float, prevalence: float) -> float:
    """Share of alarmed runs that collapse, where `prevalence` of all runs do; NaN if none alarm.

    >>> round(precision(0.5, 0.05, 0.1), 3)
    0.526
    """
    true, false = recall * prevalence, false_alarm * (1 - prevalence)
    return true / (true + false) if true + false else math.nan


def compute_saved(runs: Sequence[ScoredRun]) -> float:
    """Mean share of a collapsed run's points left when stopped at its first alarm; NaN of none."""
    saved = [
        1 - min(run.first + 1, len(run.steps)) / len(run.steps)
        for run, _ in _collapsed(runs)
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


def point_of(steps: Sequence[int], step: float) -> int:
    """Index of the first record at or after a step; the last record's when all are before.

    In a run that was resumed, steps repeat, and the last attempt is the one that counts.
    """
    array = np.asarray(steps)
    restarts = np.flatnonzero(np.diff(array) < 0)
    start = int(restarts[-1]) + 1 if restarts.size and array[restarts[-1] + 1] <= step else 0
    reached = np.flatnonzero(array[start:] >= step)
    return start + int(reached[0]) if reached.size else len(array) - 1


def _collapsed(runs: Sequence[ScoredRun]) -> list[tuple[ScoredRun, int]]:
    return [(run, run.collapse) for run in runs if run.collapse is not None]


def _reach(run: ScoredRun, point: int, horizon: Horizon) -> float:
    return math.inf if run.gradual else horizon(point)


def _lead(run: ScoredRun, collapse: int, unit: Literal["points", "steps"]) -> float:
    if not run.alarms:
        return math.nan
    if unit == "points":
        return collapse - run.alarms[0]
    return run.steps[collapse] - run.steps[run.alarms[0]]
