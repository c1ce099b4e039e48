"""Limits that do not know what they judge: which runs set them, and what they then raise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from collapse_lab.calibration.conformal import NAMES
from collapse_lab.records import Severity
from collapse_lab.scorecard import ALARM, CALIBRATED_ROW, LATER, JudgedRun, held_out, left_out
from collapse_lab.scoring import Share

NOISE: tuple[int, Severity, str] = (12, "alarm", "e-detector")
CRITICAL: tuple[int, Severity, str] = (5, "critical", "non-finite")


def judged(
    task: str,
    peak: float,
    kind: str = "healthy",
    onset: int | None = None,
    raised: Sequence[tuple[int, Severity, str]] = (),
) -> JudgedRun:
    """Forty records; every detector's score rises to its peak at record 30 and falls again."""
    trace = np.concatenate([np.linspace(0, peak, 31), np.zeros(9)])
    traces = dict.fromkeys(NAMES, trace)
    return JudgedRun("", kind, task, {"task": task}, range(40), onset, onset, tuple(raised), traces)


def corpus() -> list[JudgedRun]:
    """Scores of `loud` runs go up to 5 where those of `quiet` ones stay below 1."""
    quiet = [judged("quiet", 0.01 * i) for i in range(40)]
    loud = [judged("loud", 5 - 0.01 * i) for i in range(40)]
    return quiet + loud


def test_the_limits_of_a_value_are_set_by_the_other_values_alone() -> None:
    quiet, loud = left_out(corpus(), "task", alpha=0.05)
    assert (quiet.value, loud.value) == ("quiet", "loud")
    assert quiet.limits and loud.limits
    assert max(loud.limits.limits.values()) < 0.4 < 4.9 < min(quiet.limits.limits.values())
    assert not any(run.alarms(ALARM) for run in quiet.runs)
    assert all(run.alarms(ALARM) for run in loud.runs)


def test_a_run_is_alarmed_on_where_its_score_first_reaches_the_limit() -> None:
    runs = [*corpus(), judged("quiet", 30.0, "collapse", onset=20)]
    quiet, _ = left_out(runs, "task", alpha=0.05)
    assert quiet.limits
    limit = min(quiet.limits.limits.values())
    assert quiet.runs[-1].alarms(ALARM) == [np.ceil(limit)]  # one a record


def test_collapsed_runs_set_no_limits_and_neither_do_runs_cut_short() -> None:
    runs = [
        *corpus(),
        *(judged("quiet", 99, kind, 20) for kind in ("collapse", "suspect_censored")),
    ]
    _, loud = left_out(runs, "task", alpha=0.05)
    assert loud.limits and loud.limits.runs == 40


def test_alarms_of_the_shipped_limits_are_forgotten_and_hard_failures_are_not() -> None:
    runs = [*corpus(), judged("quiet", 0.5, raised=(CRITICAL, NOISE))]
    quiet, _ = left_out(runs, "task", alpha=0.05)
    assert quiet.runs[-1].raised == [CRITICAL]


def test_too_few_other_runs_are_said_and_judge_nothing() -> None:
    quiet, loud = left_out(corpus()[:45], "task", alpha=0.05)
    assert quiet.limits is None and "5 healthy runs are too few" in quiet.reason
    assert not quiet.runs
    assert len(loud.runs) == 5


def test_a_kind_of_failure_by_which_no_run_collapsed_is_none() -> None:
    runs = [
        replace(run, facts={"failure": failure})
        for run, failure in [
            *((run, "healthy") for run in corpus()),
            (judged("quiet", 1, "collapse", onset=20), "lag"),
            (judged("quiet", 1), "lag"),
        ]
    ]
    (lag,) = left_out(runs, "failure", alpha=0.05)
    assert (lag.value, len(lag.runs)) == ("lag", 2)


def test_in_time_limits_are_set_by_what_was_made_before_alone() -> None:
    """Forty quiet runs, then forty loud ones; one more was made nobody knows when."""
    runs = [replace(run, made=float(at)) for at, run in enumerate(corpus())]
    runs.append(judged("loud", 99))
    second, third, fourth = left_out(runs, LATER, alpha=0.05)
    assert second.limits is None and "20 healthy runs are too few" in second.reason
    assert third.limits and third.limits.runs == 40 and len(third.runs) == 20
    assert all(run.alarms(ALARM) for run in third.runs)
    assert fourth.limits and fourth.limits.runs == 60
    assert not any(run.alarms(ALARM) for run in fourth.runs)  # the louder ones came before
    found = held_out(runs, LATER, 0.05)
    assert found.together[ALARM + CALIBRATED_ROW].healthy_alarmed == Share(20, 40)


def test_each_run_is_judged_once_and_a_detector_alone_has_all_of_alpha() -> None:
    found = held_out(corpus(), "task", 0.05)
    tier = found.together[f"{ALARM}, calibrated"]
    assert tier.healthy_alarmed == Share(40, 80)
    assert found.by_value["loud"].healthy_alarmed == Share(40, 40)
    assert found.together["cusum alone"].healthy_alarmed == Share(40, 80)
    raw = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert raw["by"]["quiet"]["runs_behind_limits"] == 40
    assert set(raw["together"]) == {f"{ALARM}, calibrated", *(f"{name} alone" for name in NAMES)}


def test_a_detector_alone_judges_no_more_runs_than_the_tier() -> None:
    found = held_out(corpus()[:60], "task", 0.05)  # 20 loud runs are enough for one detector alone
    assert found.by_value.keys() == {"loud"}
    assert {one.healthy_alarmed.of for one in found.together.values()} == {20}
