"""Leave one out: limits calibrated without an algorithm, task, framework or type of failure, and
judged on it; or on the runs made before, and judged on those made later.

What a detector with its shipped limits does on a new kind of run depends on those limits; at the
same alpha, set by the other kinds of runs, detectors can be compared, and what a limit is worth
elsewhere can be seen. A detector that was trained on the corpus has seen what is left out here,
unless it was trained anew for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from collapse_lab.calibration import conformal
from collapse_lab.calibration.conformal import CALIBRATED, Course, TooFewRuns
from collapse_lab.calibration.saved import Calibration
from collapse_lab.records import Severity
from collapse_lab.scorecard.detector_scores import Scores, scores
from collapse_lab.scorecard.judged import ALARM, CALIBRATED_ROW, JudgedRun
from collapse_lab.scoring.resampling import later, leave_one_out

LATER = "later"
"""Stands for a fact: each part of the runs is judged by those made before it, not by all others."""


@dataclass(frozen=True, slots=True)
class Split:
    """The runs of one `value`, judged by limits that know none of them.

    Of the alarms only the first is seen, and those of `critical`, which no limit governs. `limits`
    are None where the other healthy runs are too few for alpha, for the `reason` given; then no
    run is judged.
    """

    value: str
    limits: Calibration | None
    runs: Sequence[JudgedRun]
    reason: str = ""


def left_out(
    runs: Sequence[JudgedRun], fact: str, alpha: float, detectors: Sequence[str] = CALIBRATED
) -> Iterator[Split]:
    """One split for each value of the fact, in the order in which they occur, or for each part of
    the runs in time. Runs need traces.

    A kind of failure by which no run collapsed is none, and not left out.
    """
    courses = [Course.of(run.name, run.group, run.traces) for run in runs]
    splits = (
        later([run.made for run in runs])
        if fact == LATER
        else leave_one_out([run.facts[fact] for run in runs])
    )
    for value, rest, held in splits:
        if fact == "failure" and all(runs[i].onset is None for i in held):
            continue
        healthy = [courses[i] for i in rest if runs[i].kind in conformal.HEALTHY]
        try:
            limits = conformal.calibrate(healthy, alpha, detectors)
        except TooFewRuns as error:
            yield Split(value, None, (), str(error))
            continue
        yield Split(value, limits, [_judged(runs[i], courses[i], limits) for i in held])


def _judged(run: JudgedRun, course: Course, limits: Calibration) -> JudgedRun:
    raised: list[tuple[int, Severity, str]] = [one for one in run.raised if one[1] == "critical"]
    first = conformal.reached(course, limits)
    if first is not None:
        raised.append((first, "alarm", "+".join(limits.limits)))
    return replace(run, raised=sorted(raised, key=lambda one: one[0]))


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Leave-one-out over one fact or in time: the alarm tier on each value, and every detector on
    all of them, each run judged once. A detector alone has all of alpha, and no hard failures
    beside it; it judges the same runs, even if it could be calibrated for more.
    """

    fact: str
    alpha: float
    splits: Sequence[Split]
    by_value: Mapping[str, Scores]
    together: Mapping[str, Scores]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; what is undefined is null."""
        return {
            "fact": self.fact,
            "alpha": self.alpha,
            "by": {
                split.value: {
                    "limits": dict(split.limits.limits) if split.limits else None,
                    "runs_behind_limits": split.limits.runs if split.limits else None,
                    "reason": split.reason,
                    "scores": self.by_value[split.value].to_dict() if split.limits else None,
                }
                for split in self.splits
            },
            "together": {name: one.to_dict() for name, one in self.together.items()},
        }


def held_out(runs: Sequence[JudgedRun], fact: str, alpha: float) -> HeldOut:
    """The scores of every detector with limits that do not know the runs they judge."""

    def together(splits: Sequence[Split]) -> list[JudgedRun]:
        return [run for split in splits for run in split.runs]

    def alarms(run: JudgedRun) -> list[int]:
        return run.alarms(ALARM)

    splits = list(left_out(runs, fact, alpha))
    values = {split.value for split in splits if split.limits}
    rows = {ALARM + CALIBRATED_ROW: scores(together(splits), alarms)}
    for name in conformal.NAMES:
        alone = together([s for s in left_out(runs, fact, alpha, (name,)) if s.value in values])
        rows[f"{name} alone"] = scores(alone, lambda run, name=name: run.raised_by(name))
    by_value = {split.value: scores(split.runs, alarms) for split in splits if split.limits}
    return HeldOut(fact, alpha, splits, by_value, rows)
