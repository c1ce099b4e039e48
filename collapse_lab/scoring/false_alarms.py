"""What healthy training hears of a detector: runs and records with a false alarm.

Healthy points are those of healthy runs, and those of collapsed runs before their horizon.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

from collapse_lab.scoring.runs import Horizon, ScoredRun, usual_horizon
from collapse_lab.scoring.shares import Share

REFRACTORY = 20
"""Points after an alarm in which further alarms belong to the same event."""


def healthy_false_alarm(runs: Sequence[ScoredRun]) -> Share:
    """Healthy runs that were ever alarmed on, however often."""
    healthy = [run for run in runs if run.collapse is None]
    return Share(sum(bool(run.alarms) for run in healthy), len(healthy))


def false_alarms_per_thousand(
    runs: Sequence[ScoredRun], refractory: int = REFRACTORY, horizon: Horizon = usual_horizon
) -> float:
    """Alarms per 1,000 healthy points, repeats within `refractory` points counting once.

    NaN when there are no healthy points.
    """
    alarms = points = 0
    for run in runs:
        end = healthy_points(run, horizon)
        points += end
        last = -math.inf
        for alarm in run.alarms:
            if alarm < end and alarm - last >= refractory:
                alarms, last = alarms + 1, alarm
    return 1000 * alarms / points if points else math.nan


def time_in_warning(runs: Sequence[ScoredRun], horizon: Horizon = usual_horizon) -> float:
    """Share of the healthy points at which a collapse would have counted as warned of.

    That is, with an alarm before the point and within its horizon: what re-armed early recall
    would be if collapses struck at random, so the two are to be compared. A rare alarm that
    stands for long is no better than a frequent short one. NaN when there are no healthy points.
    """
    warned = points = 0
    for run in runs:
        end = healthy_points(run, horizon)
        points += end
        for point in range(end):
            before = bisect_left(run.alarms, point)
            warned += before > 0 and point - run.alarms[before - 1] <= horizon(point)
    return warned / points if points else math.nan


def healthy_points(run: ScoredRun, horizon: Horizon = usual_horizon) -> int:
    """How many points a run has before any at which an alarm could be about its collapse."""
    if run.collapse is None:
        return len(run.steps)
    return math.ceil(max(0.0, run.collapse - run.reach(horizon)))
