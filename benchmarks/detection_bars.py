"""What was asked of the alarm tier before any corpus was there, and whether it is so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks import judge, tables
from benchmarks.corpus import LabelledLog
from benchmarks.judge import Judgement
from collapse_lab import scoring
from collapse_lab.scorecard import ALARM, LATE, JudgedRun, counts, rules, scored
from collapse_lab.scoring import ScoredRun
from collapse_lab.scoring.markdown import percent, share, table_of

HEALTHY_ALARMED, CERTIFIED = 0.05, 0.10
EARLY, BY_TEN_LATER, LEAD = 0.7, 0.9, 0.1
LOGS_IN_TIME, LOGS_LATE = 0.6, 0.9
HEADER = ("asked", "measured", "so")


def of_corpus(runs: Sequence[JudgedRun]) -> str:
    """The bars for runs whose onset is known, as shipped."""
    found = [scored(run, rules()[ALARM]) for run in runs if counts(run)]
    healthy, early = scoring.healthy_false_alarm(found), scoring.early_recall(found)
    late = scoring.late_recall(found, LATE)
    lead = median_lead_share(found)
    lines = [
        _line(
            f"at most {percent(HEALTHY_ALARMED)} of healthy runs alarmed on",
            share(healthy),
            healthy.value <= HEALTHY_ALARMED,
        ),
        _line(
            f"with 95 % confidence at most {percent(CERTIFIED)}",
            percent(healthy.upper()),
            healthy.upper() <= CERTIFIED,
        ),
        _line(f"at least {percent(EARLY)} foreseen", share(early), early.value >= EARLY),
        _line(
            f"at least {percent(BY_TEN_LATER)} by {LATE} records after the onset",
            share(late),
            late.value >= BY_TEN_LATER,
        ),
        _line(
            f"a median lead of {percent(LEAD)} of the steps before the onset",
            percent(lead),
            lead >= LEAD,
        ),
    ]
    return table_of(HEADER, lines, numbers=False)


def of_logs(logs: Sequence[LabelledLog], judgements: Sequence[Judgement]) -> str:
    """The bars for the logs of others, language models and control together."""
    row = next(row for row in judge.OURS if row.endswith(ALARM))
    found = tables.scored(row, logs, judgements, None)
    healthy = scoring.healthy_false_alarm(found)
    in_time, late = scoring.recall(found), scoring.recall(found, lead=-LATE)
    lines = [
        _line(
            f"at most {percent(HEALTHY_ALARMED)} of healthy logs alarmed on",
            share(healthy),
            healthy.value <= HEALTHY_ALARMED,
        ),
        _line(
            f"at least {percent(LOGS_IN_TIME)} flagged by the collapse point",
            share(in_time),
            in_time.value >= LOGS_IN_TIME,
        ),
        _line(
            f"at least {percent(LOGS_LATE)} by {LATE} records later",
            share(late),
            late.value >= LOGS_LATE,
        ),
    ]
    return table_of(HEADER, lines, numbers=False)


def median_lead_share(runs: Sequence[ScoredRun]) -> float:
    """Of the collapses that were foreseen: lead over the steps before the onset; NaN of none."""
    shares = [
        (run.steps[run.collapse] - run.steps[run.alarms[0]])
        / max(1, run.steps[run.collapse] - run.steps[0])
        for run in runs
        if run.collapse is not None and scoring.early_recall([run]).hits and not run.gradual
    ]
    return float(np.median(shares)) if shares else np.nan


def _line(asked: str, measured: str, met: bool) -> list[str]:
    return [asked, measured, "yes" if met else "no"]
