"""Leave one out: limits calibrated without an algorithm, task, framework or type of failure, and
judged on it.

What a detector with its shipped limits does on a new kind of run depends on those limits; at the
same alpha, set by the other kinds of runs, detectors can be compared, and what a limit is worth
elsewhere can be seen. A detector that was trained on the corpus has seen what is left out here,
unless it was trained anew for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from collapse_lab.calibration import conformal
from collapse_lab.calibration.conformal import CALIBRATED, Course, TooFewRuns
from collapse_lab.calibration.saved import Calibration
from collapse_lab.records import Severity
from collapse_lab.scorecard.judged import JudgedRun
from collapse_lab.scoring.resampling import leave_one_out


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
    """One split for each value of the fact, in the order in which they occur. Runs need traces."""
    courses = [Course.of(run.name, run.group, run.traces) for run in runs]
    for value, rest, held in leave_one_out([run.facts[fact] for run in runs]):
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
