"""Scores that other fields report, of our rows: for comparison with theirs, not to choose by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collapse_lab import scoring
from collapse_lab.scorecard.detector_scores import number
from collapse_lab.scorecard.judged import JudgedRun, Rule, counts, scored
from collapse_lab.scorecard.ranks import courses

BLIND = "the same score everywhere"
"""A row that knows nothing; its VUS-PR is the share of records in a range or near one."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Scores of one detector's alarms; see `scoring.nab` and `scoring.overlap`."""

    nab: float
    range_recall: float
    range_precision: float

    def to_dict(self) -> dict[str, float | None]:
        """JSON-ready; what is undefined is null."""
        return {
            "nab": number(self.nab),
            "range_recall": number(self.range_recall),
            "range_precision": number(self.range_precision),
        }


def compare(runs: Sequence[JudgedRun], rule: Rule) -> Compared:
    """The scores of one detector over the runs that are healthy or collapsed."""
    counted = [scored(run, rule) for run in runs if counts(run)]
    return Compared(
        scoring.nab_score(counted), scoring.range_recall(counted), scoring.range_precision(counted)
    )


def volumes(runs: Sequence[JudgedRun]) -> dict[str, float]:
    """VUS-PR of each detector's score, of a clock, and of what knows nothing; see
    `scoring.volume`."""
    counted = [run for run in runs if counts(run)]
    silent = [scored(run, lambda _: ()) for run in counted]
    anomalies = [scoring.anomaly(run) for run in silent]
    ends = [scoring.scored_records(run) for run in silent]
    found = {
        name: scoring.vus_pr(
            [course.scores[:end] for course, end in zip(some, ends, strict=True)], anomalies
        )
        for name, some in courses(counted).items()
    }
    return {**found, BLIND: scoring.vus_pr([np.zeros(end) for end in ends], anomalies)}
