"""Contenders scored alike: at their defaults, and calibrated to the same run-level false alarm.

Calibration is the product's own (`collapse_lab.calibration.conformal`), one detector or several
that share alpha. Twice: *held out*, where the limits for each group of runs come from the healthy
runs of all other groups; and *equal*, from all healthy runs at once, where every contender alarms
on the same share of them by construction, which is what a comparison of recall needs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.challengers_seen import Seen
from collapse_lab import scorecard, scoring
from collapse_lab.calibration import conformal
from collapse_lab.calibration.conformal import Course, TooFewRuns
from collapse_lab.scorecard import JudgedRun
from collapse_lab.scoring import ScoredRun, Share
from collapse_lab.scoring.chance import by_chance
from collapse_lab.scoring.resampling import bootstrap, interval, leave_one_out

ALPHA = 0.05
DEALS = 100
Alarms = Sequence[Sequence[int]]
"""The points at which a contender alarmed, one sequence a run."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the table says of one contender; see `scorecard.Scores`. `by_chance` is the early
    recall of the same alarms dealt to runs at random."""

    healthy: Share
    early: Share
    late: Share
    by_crossing: Share
    lead: float
    by_chance: float


def measure(runs: Sequence[JudgedRun], alarms: Alarms) -> Measured:
    """Scores of one contender over the runs that are healthy or collapsed."""
    to_onset = _scored(runs, alarms)
    to_cross = [
        ScoredRun(run.steps, some, run.cross)
        for run, some in zip(runs, alarms, strict=True)
        if scorecard.counts(run)
    ]
    early = scoring.early_recall(to_onset)
    return Measured(
        healthy=scoring.healthy_false_alarm(to_onset),
        early=early,
        late=scoring.late_recall(to_onset, scorecard.LATE),
        by_crossing=scoring.recall(to_cross),
        lead=scoring.early_leads(to_onset, least=1, horizon=scoring.usual_horizon)[1],
        by_chance=by_chance(to_onset, lambda some: scoring.early_recall(some).value, DEALS)[0],
    )


def held_out(seen: Sequence[Seen], detectors: Sequence[str], alpha: float = ALPHA) -> Alarms:
    """First alarms under limits from the healthy runs of all other groups.

    Where those are too few for alpha, nothing can be claimed and nothing is raised.
    """
    alarms: list[Sequence[int]] = [()] * len(seen)
    for _, rest, held in leave_one_out([one.run.group for one in seen]):
        courses = [seen[index].course for index in rest if seen[index].healthy]
        for index, first in zip(
            held, _first(courses, [seen[i].course for i in held], detectors, alpha), strict=True
        ):
            alarms[index] = first
    return alarms


def equal(seen: Sequence[Seen], detectors: Sequence[str], alpha: float = ALPHA) -> Alarms:
    """First alarms under limits from all healthy runs, those that are scored included."""
    courses = [one.course for one in seen if one.healthy]
    return _first(courses, [one.course for one in seen], detectors, alpha)


def best_single_signal(seen: Sequence[Seen], alpha: float = ALPHA) -> tuple[Alarms, Alarms]:
    """The one signal, high or low, that caught most collapses early; held out, then equal.

    Held out, both the signal and its limit are chosen on the other groups. Equal, both are chosen
    on the very runs that are scored, which flatters it.
    """
    levels = _levels(seen)
    courses = [
        Course(one.run.name, one.run.group, some) for one, some in zip(seen, levels, strict=True)
    ]
    names = list(levels[0])
    alarms: list[Sequence[int]] = [()] * len(seen)

    def choose(rest: Sequence[int], held: Sequence[int]) -> Alarms:
        healthy = [courses[i] for i in rest if seen[i].healthy]
        runs = [seen[i].run for i in rest]

        def caught(name: str) -> tuple[float, float]:
            found = _scored(runs, _first(healthy, [courses[i] for i in rest], (name,), alpha))
            return scoring.early_recall(found).value, scoring.late_recall(found).value

        best = max(names, key=caught)
        return _first(healthy, [courses[i] for i in held], (best,), alpha)

    for _, rest, held in leave_one_out([one.run.group for one in seen]):
        for index, first in zip(held, choose(rest, held), strict=True):
            alarms[index] = first
    everything = range(len(seen))
    return alarms, choose(everything, everything)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Recall of ours against a challenger's: ratio and difference with paired 95 % intervals over
    resampled groups. A ratio of nothing to nothing is 1."""

    challenger: str
    ratio: float
    ratio_interval: tuple[float, float]
    difference: float
    difference_interval: tuple[float, float]


def against_best(
    runs: Sequence[JudgedRun],
    ours: Alarms,
    challengers: Mapping[str, Alarms],
    outcome: str = "early_recall",
) -> Comparison:
    """Ours against the challenger that is best on these runs by one of `scorecard.OUTCOMES`.

    Choosing it on the runs that are scored favours it. Of equals it is the one with fewer false
    alarms.
    """
    column = scorecard.OUTCOMES.index(outcome)

    def caught(alarms: Alarms) -> NDArray[np.float64]:
        return scorecard.outcomes(_scored(runs, alarms))[:, column]

    def strength(name: str) -> tuple[float, float]:
        false = scoring.healthy_false_alarm(_scored(runs, challengers[name])).value
        return float(np.nanmean(caught(challengers[name]))), -false

    best = max(challengers, key=strength)
    both = np.stack([caught(ours), caught(challengers[best])], 1)
    groups = [run.group for run in runs if scorecard.counts(run)]
    means = bootstrap(both, groups)
    first, second = np.nanmean(both, axis=0).tolist()
    return Comparison(
        best,
        _ratio(first, second),
        _ratio_interval(means),
        first - second,
        interval(means[:, 0] - means[:, 1]),
    )


def _scored(runs: Sequence[JudgedRun], alarms: Alarms) -> list[ScoredRun]:
    return [
        scorecard.scored(run, lambda _, some=some: some)
        for run, some in zip(runs, alarms, strict=True)
        if scorecard.counts(run)
    ]


def _first(
    healthy: Sequence[Course], courses: Sequence[Course], detectors: Sequence[str], alpha: float
) -> Alarms:
    try:
        found = conformal.calibrate(healthy, alpha, detectors)
    except TooFewRuns:
        return [()] * len(courses)
    reached = [conformal.reached(course, found) for course in courses]
    return [() if point is None else (point,) for point in reached]


def _levels(seen: Sequence[Seen]) -> list[dict[str, NDArray[np.float64]]]:
    """Every signal of every run, high and low, as ranks among all of its values: a limit on the
    rank is a limit on the value, whatever its unit."""
    names = dict.fromkeys(name for one in seen for name in one.series)
    levels: list[dict[str, NDArray[np.float64]]] = [{} for _ in seen]
    for name in names:
        absent = [np.full(len(one.run.steps), math.nan) for one in seen]
        values = [one.series.get(name, nan) for one, nan in zip(seen, absent, strict=True)]
        known = np.concatenate(values)
        known = np.unique(known[np.isfinite(known)])
        for some, series in zip(levels, values, strict=True):
            rank = np.searchsorted(known, series) + 1.0
            finite = np.isfinite(series)
            some[f"{name} high"] = np.maximum.accumulate(np.where(finite, rank, 0))
            some[f"{name} low"] = np.maximum.accumulate(np.where(finite, len(known) + 1 - rank, 0))
    return levels


def _ratio(first: float, second: float) -> float:
    if second:
        return first / second
    return math.inf if first else 1.0


def _ratio_interval(means: NDArray[np.float64]) -> tuple[float, float]:
    """Percentiles that are values of the sample, because some are infinite."""
    known = means[np.isfinite(means).all(axis=1)].tolist()
    ratios = sorted(_ratio(first, second) for first, second in known)
    if not ratios:
        return math.nan, math.nan
    last = len(ratios) - 1
    return ratios[math.floor(0.025 * last)], ratios[math.ceil(0.975 * last)]
