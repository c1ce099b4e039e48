"""A corpus, judged and scored: alarms against labels, run by run."""

from collapse_lab.scorecard.compared import BLIND, Compared, compare, volumes
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
from collapse_lab.scorecard.foretold import Foretold, foretell
from collapse_lab.scorecard.judged import (
    ALARM,
    CALIBRATED_ROW,
    HEALTHY,
    TIERS,
    JudgedRun,
    Rule,
    by_fact,
    counts,
    judge,
    judge_all,
    references,
    rules,
    scored,
)
from collapse_lab.scorecard.left_out import LATER, HeldOut, Split, held_out, left_out
from collapse_lab.scorecard.ranks import RECORD_NUMBER, Ranked, rank
from collapse_lab.scoring import LATE

__all__ = [
    "ALARM",
    "BLIND",
    "CALIBRATED_ROW",
    "HEALTHY",
    "LATE",
    "LATER",
    "OUTCOMES",
    "PREVALENCES",
    "RECORD_NUMBER",
    "TIERS",
    "Compared",
    "Foretold",
    "HeldOut",
    "Interval",
    "JudgedRun",
    "Ranked",
    "Rule",
    "Scores",
    "Split",
    "by_fact",
    "compare",
    "counts",
    "difference",
    "foretell",
    "held_out",
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
    "volumes",
]
