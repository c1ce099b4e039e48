"""Every method on parts of a corpus that neither its limits nor its model have seen.

The first generation (e-detector and reward-drop, which share alpha), the hazard model, and both
(half of alpha each); beside them the first generation with its shipped limits, and that or the
model with half of alpha. Limits are run-max conformal ones, on healthy runs of the training side
only, the model's on runs that it was not fitted to, over whole runs: few are as long as the
longest, and a limit that holds only for as long as enough runs last would leave the late collapses
to whoever spends the most alpha.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.hazard_model import course, courses, fit, folds
from benchmarks.hazard_runs import Seen
from collapse_lab import scoring
from collapse_lab.calibration.conformal import CALIBRATED, Course, TooFewRuns, calibrate, reached
from collapse_lab.detectors.features import BOTH, REWARD_FALL
from collapse_lab.detectors.hazard import Hazard
from collapse_lab.scorecard import LATE
from collapse_lab.scoring.resampling import leave_one_out

FIRST, HAZARD, HYBRID = "first generation", "hazard", "both, half of alpha each"
SHIPPED_FIRST = "first generation, as shipped"
ADDED = "the same, or hazard with half of alpha"
METHODS = (FIRST, HAZARD, HYBRID, SHIPPED_FIRST, ADDED)
ASIDE = ", without the reward"
DELAYED = f", {LATE} records late"
LEAST_COLLAPSES = 5
"""On the training side, for a model of them."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Method -> the first alarm in each of `runs`, None where there was none."""

    runs: list[Seen]
    alarms: dict[str, list[int | None]]

    def scored(self, method: str) -> list[scoring.ScoredRun]:
        """The healthy and the collapsed runs."""
        alarms = zip(self.runs, self.alarms[method], strict=True)
        return [run.scored(at) for run, at in alarms if run.healthy or run.onset is not None]

    def crossings(self, method: str) -> list[scoring.ScoredRun]:
        """The collapsed runs, to be in time for half of the gain."""
        alarms = zip(self.runs, self.alarms[method], strict=True)
        return [run.crossing(at) for run, at in alarms if run.cross is not None]

    def only(self, places: Sequence[int]) -> Judged:
        """Some of the runs."""
        some = {name: [at[place] for place in places] for name, at in self.alarms.items()}
        return Judged([self.runs[place] for place in places], some)


def judge(rest: Sequence[Seen], held: Sequence[Seen], alpha: float) -> Judged:
    """Every method on `held`, with limits and models of `rest`. Raises TooFewRuns."""
    alarms: dict[str, list[int | None]] = {}
    records = max(len(run.steps) for run in (*rest, *held))
    healthy = [lasting(run.course, records) for run in rest if run.onset is None]
    whole, half = (calibrate(healthy, share, CALIBRATED) for share in (alpha, alpha / 2))
    alarms[FIRST], first = ([reached(run.course, some) for run in held] for some in (whole, half))
    shipped = [_as_shipped(run.course) for run in held]
    for without, variants in (((), ("", DELAYED)), ((REWARD_FALL, BOTH), (ASIDE,))):
        parts, model = folds(rest, without), fit(rest, without)
        for variant in variants:
            late = LATE if variant == DELAYED else 0
            healthy = [lasting(run, records) for run in courses(parts, late)]
            judged = [course(run, model, late) for run in held]
            alone, other = (
                calibrate(healthy, share, (Hazard.name,)) for share in (alpha, alpha / 2)
            )
            found = [reached(run, other) for run in judged]
            alarms[HAZARD + variant] = [reached(run, alone) for run in judged]
            alarms[HYBRID + variant] = [_either(*both) for both in zip(first, found, strict=True)]
            if not variant:
                alarms[SHIPPED_FIRST] = shipped
                alarms[ADDED] = [_either(*both) for both in zip(shipped, found, strict=True)]
    return Judged(list(held), alarms)


def lasting(run: Course, records: int) -> Course:
    """The run as if it had gone on without ever reaching a larger score."""
    more = records - run.records
    highest = {name: np.pad(x, (0, more), mode="edge") for name, x in run.highest.items()}
    return Course(run.name, run.group, highest)


def _as_shipped(run: Course) -> int | None:
    points = [int(np.argmax(x >= 1)) for x in run.highest.values() if x[-1] >= 1]
    return min(points, default=None)


def _either(*points: int | None) -> int | None:
    return min((point for point in points if point is not None), default=None)


def left_out(runs: Sequence[Seen], split: str, alpha: float) -> Iterator[tuple[str, Judged]]:
    """Every part of a split, judged by the others, unless too little is left without it."""
    for part, rest, held in leave_one_out([run.kinds[split] for run in runs]):
        training = [runs[index] for index in rest]
        if sum(run.onset is not None for run in training) < LEAST_COLLAPSES:
            continue
        try:
            yield part, judge(training, [runs[index] for index in held], alpha)
        except TooFewRuns:
            continue


def together(parts: Sequence[Judged]) -> Judged:
    """All parts as one."""
    methods = parts[0].alarms
    return Judged(
        [run for part in parts for run in part.runs],
        {name: [at for part in parts for at in part.alarms[name]] for name in methods},
    )
