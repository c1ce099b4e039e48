"""How well the detectors' scores rank the records that precede a collapse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collapse_lab.scorecard.detector_scores import Interval, number
from collapse_lab.scorecard.judged import JudgedRun, counts
from collapse_lab.scoring import LATE
from collapse_lab.scoring.ranking import HORIZONS, Course, Ranking, rows
from collapse_lab.scoring.resampling import interval, resampled

REPETITIONS = 500
RECORD_NUMBER = "record number"
"""A row that knows only how long a run has been going on."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """Areas of one detector's score at one horizon, with bootstrap 95 % intervals over groups.

    `roc` is over all records, `roc_at_same_record` over cases and controls that are equally far
    into their runs. `prevalence` is the share of the records that are cases, and the
    precision-recall area of a score that knows nothing. `late_minus_now` is what ten records of
    delay cost the area at the same record, paired.
    """

    detector: str
    horizon: int
    prevalence: float
    roc: float
    roc_interval: Interval
    roc_at_same_record: float
    roc_at_same_record_interval: Interval
    precision_recall: float
    precision_recall_interval: Interval
    late_minus_now: Interval

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; what is undefined is null."""
        return {
            "detector": self.detector,
            "horizon": self.horizon,
            "prevalence": number(self.prevalence),
            "auroc": number(self.roc),
            "auroc_bootstrap": list(map(number, self.roc_interval)),
            "auroc_at_same_record": number(self.roc_at_same_record),
            "auroc_at_same_record_bootstrap": list(map(number, self.roc_at_same_record_interval)),
            "auprc": number(self.precision_recall),
            "auprc_bootstrap": list(map(number, self.precision_recall_interval)),
            "auroc_at_same_record_10_late_minus_now": list(map(number, self.late_minus_now)),
        }


def rank(runs: Sequence[JudgedRun], horizons: Sequence[int] = HORIZONS) -> list[Ranked]:
    """Every detector that has a score, at every horizon; see `scoring.ranking`."""
    counted = [run for run in runs if counts(run)]
    drawn = times_drawn(counted)
    return [
        _ranked(name, some, horizon, drawn)
        for name, some in courses(counted).items()
        for horizon in horizons
    ]


def courses(runs: Sequence[JudgedRun]) -> dict[str, list[Course]]:
    """The scores of each run, by detector and of the clock."""
    names = list(runs[0].traces) if runs else []
    return {name: [_course(run, name) for run in runs] for name in (*names, RECORD_NUMBER)}


def times_drawn(runs: Sequence[JudgedRun]) -> list[NDArray[np.int64]]:
    """How often each run is there, for each repetition of the bootstrap over groups."""
    groups = [run.group for run in runs]
    return [np.bincount(one, minlength=len(runs)) for one in resampled(groups, REPETITIONS)]


def _ranked(
    name: str, courses: Sequence[Course], horizon: int, drawn: Sequence[NDArray[np.int64]]
) -> Ranked:
    now = Ranking.of(rows(courses, horizon))
    late = Ranking.of(rows([course.delayed(LATE) for course in courses], horizon))
    areas = np.array([astuple(now.areas(times)) for times in drawn]).reshape(-1, 3)
    late_areas = np.array([astuple(late.areas(times)) for times in drawn]).reshape(-1, 3)
    roc, roc_at_same_record, precision_recall = (interval(areas[:, i]) for i in range(3))
    found = now.areas()
    return Ranked(
        name,
        horizon,
        now.rows.prevalence,
        found.roc,
        roc,
        found.roc_at_same_record,
        roc_at_same_record,
        found.precision_recall,
        precision_recall,
        interval(late_areas[:, 1] - areas[:, 1]),
    )


def _course(run: JudgedRun, name: str) -> Course:
    trace = np.arange(len(run.steps), dtype=float) if name == RECORD_NUMBER else run.traces[name]
    return Course(np.nan_to_num(trace, nan=-np.inf, neginf=-np.inf, posinf=np.inf), run.onset)
