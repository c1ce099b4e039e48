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
    were raised, ascending. `collapse` is the point of collapse, None in a run that did not.
    """

    steps: Sequence[int]
    alarms: Sequence[int]
    collapse: int | None = None

    @property
    def first(self) -> float:
        """Point of the first alarm; infinite when there was none."""
        return self.alarms[0] if self.alarms else math.inf


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `of` runs."""

    hits: int
    of: int

    @property
    def value(self) -> float:
        """The share itself; NaN of no runs."""
        return self.hits / self.of if self.of else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson 95 % interval."""
        return wilson(self.hits, self.of)

    def upper(self, confidence: float = 0.95) -> float:
        """What the true share stays below, with this confidence (one-sided, exact)."""
        return upper_bound(self.hits, self.of, confidence)


def unlimited(collapse: int) -> float:
    """Any alarm before the collapse is about it."""
    return math.inf


def usual_horizon(collapse: int) -> float:
    """A quarter of the run so far, at most 100 points.

    >>> usual_horizon(40), usual_horizon(4000)
    (10.0, 100.0)
    """
    return min(100.0, 0.25 * collapse)


def wilson(hits: int, of: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson score interval of a share; (NaN, NaN) of nothing.

    >>> [round(bound, 3) for bound in wilson(0, 30)]
    [0.0, 0.114]
    """
    if not of:
        return math.nan, math.nan
    share, shrink = hits / of, 1 + z * z / of
    centre = (share + z * z / (2 * of)) / shrink
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / shrink
    return max(0.0, centre - half), min(1.0, centre + half)


def upper_bound(hits: int, of: int, confidence: float = 0.95) -> float:
    """One-sided Clopper-Pearson bound: the largest share that `hits` does not rule out.

    This is the PAC statement of a calibration on `of` healthy runs: with this confidence the
    detector alarms on at most this share of healthy runs like them. NaN of nothing.

    >>> round(upper_bound(0, 29), 3), round(upper_bound(0, 59), 3)
    (0.098, 0.05)
    """
    if not of:
        return math.nan
    if hits == of:
        return 1.0
    low, high = hits / of, 1.0
    while high - low > 1e-10:
        middle = (low + high) / 2
        if _at_most(hits, of, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def clopper_pearson(hits: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval of a share; never narrower than it says. (NaN, NaN) of nothing."""
    side = (1 + confidence) / 2
    return 1 - upper_bound(of - hits, of, side), upper_bound(hits, of, side)


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
    caught = sum(
        any(
            lead <= point - alarm <= horizon(point)
            for alarm in (run.alarms if rearm else run.alarms[:1])
        )
        for run, point in collapsed
    )
    return Share(caught, len(collapsed))


def lead_recall(
    runs: Sequence[ScoredRun], leads: Sequence[float] = LEADS, horizon: Horizon = unlimited
) -> dict[float, Share]:
    """Recall at each lead: how much warning one can count on, how often."""
    return {lead: recall(runs, lead, horizon) for lead in leads}


def premature(runs: Sequence[ScoredRun], horizon: Horizon = usual_horizon) -> Share:
    """Collapsed runs whose first alarm came before the horizon: about something else, or luck."""
    collapsed = _collapsed(runs)
    return Share(
        sum(point - run.first > horizon(point) for run, point in collapsed), len(collapsed)
    )


def leads(
    runs: Sequence[ScoredRun], unit: Literal["points", "steps"] = "points"
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Collapse minus first alarm, one per collapsed run: negative is late, NaN is never."""
    return np.array([_lead(run, point, unit) for run, point in _collapsed(runs)], dtype=float)


def median_early_lead(
    runs: Sequence[ScoredRun], unit: Literal["points", "steps"] = "points"
) -> float:
    """Median lead of the runs that were flagged by their collapse; NaN when none was.

    It flatters: a detector that catches one collapse of ten may show a long one.
    """
    early = leads(runs, unit)
    early = early[early >= 0]
    return float(np.median(early)) if early.size else math.nan


def median_lead(runs: Sequence[ScoredRun], unit: Literal["points", "steps"] = "points") -> float:
    """Median lead over all collapsed runs, a late or missed one counting as 0; NaN of no runs."""
    every = np.maximum(np.nan_to_num(leads(runs, unit)), 0.0)
    return float(np.median(every)) if every.size else math.nan


def expected_lead(runs: Sequence[ScoredRun], unit: Literal["points", "steps"] = "points") -> float:
    """Mean lead over all collapsed runs, a late or missed one counting as 0; NaN of no runs."""
    every = np.maximum(np.nan_to_num(leads(runs, unit)), 0.0)
    return float(np.mean(every)) if every.size else math.nan


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
            end = math.ceil(max(0.0, run.collapse - horizon(run.collapse)))
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


def _lead(run: ScoredRun, collapse: int, unit: Literal["points", "steps"]) -> float:
    if not run.alarms:
        return math.nan
    if unit == "points":
        return collapse - run.alarms[0]
    return run.steps[collapse] - run.steps[run.alarms[0]]


def _at_most(hits: int, of: int, share: float) -> float:
    """P(X <= hits) for X ~ Binomial(of, share), 0 < share < 1."""
    log_terms = [
        math.lgamma(of + 1)
        - math.lgamma(k + 1)
        - math.lgamma(of - k + 1)
        + k * math.log(share)
        + (of - k) * math.log1p(-share)
        for k in range(hits + 1)
    ]
    return math.fsum(math.exp(term) for term in log_terms)
