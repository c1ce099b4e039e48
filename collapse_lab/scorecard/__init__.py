"""A corpus, judged and scored: alarms against labels, run by run."""

from collapse_lab.scorecard.detector_scores import (
    OUTCOMES,
    PREVALENCES,
    Interval,
    Scores,
    difference,
    late_minus_now,
    outcomes,
    scores,
)
from collapse_lab.scorecard.judged import (
    ALARM,
    COLLAPSED,
    HEALTHY,
    LATE,
    TIERS,
    JudgedRun,
    Rule,
    counts,
    judge,
    judge_all,
    references,
    rules,
    scored,
)
from collapse_lab.scorecard.left_out import Split, left_out
from collapse_lab.scorecard.ranks import RECORD_NUMBER, Ranked, rank

__all__ = [
    "ALARM",
    "COLLAPSED",
    "HEALTHY",
    "LATE",
    "OUTCOMES",
    "PREVALENCES",
    "RECORD_NUMBER",
    "TIERS",
    "Interval",
    "JudgedRun",
    "Ranked",
    "Rule",
    "Scores",
    "Split",
    "counts",
    "difference",
    "judge",
    "judge_all",
    "late_minus_now",
    "left_out",
    "outcomes",
    "rank",
    "references",
    "rules",
    "scored",
    "scores",
]
