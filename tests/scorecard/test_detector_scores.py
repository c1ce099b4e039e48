"""Which runs count for what, and that a row's scores are those of its alarms."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from collapse_lab.corpus import CorpusRun
from collapse_lab.labels import Label
from collapse_lab.records import Record, Severity
from collapse_lab.scorecard import (
    ALARM,
    JudgedRun,
    by_fact,
    difference,
    judge,
    judge_all,
    late_minus_now,
    references,
    scored,
    scores,
)
from collapse_lab.scoring import Share


def judged(
    kind: str,
    *raised: tuple[int, Severity, str],
    onset: int | None = None,
    group: str = "g",
) -> JudgedRun:
    cross = None if onset is None else onset + 5
    return JudgedRun("", kind, group, {}, range(100), onset, cross, raised)


def alarmed(run: JudgedRun) -> list[int]:
    return run.alarms(ALARM)


CRITICAL: tuple[int, Severity, str] = (90, "critical", "non-finite")
DROP: tuple[int, Severity, str] = (70, "alarm", "calibrated-reward-drop")
FAMILIES: tuple[int, Severity, str] = (55, "alarm", "e-detector")
WATCH: tuple[int, Severity, str] = (20, "watch", "cusum")


def test_each_tier_has_its_own_alarms() -> None:
    run = judged("healthy", WATCH, FAMILIES, DROP, CRITICAL)
    assert run.alarms("watch or above") == [20, 55, 70, 90]
    assert run.alarms("alarm or above") == [55, 70, 90]
    assert run.alarms("alarm or above, reward aside") == [55, 90]
    assert run.alarms("critical") == [90]


def test_dips_are_healthy_and_runs_that_never_learned_or_were_cut_short_are_not() -> None:
    runs = [
        judged("healthy"),
        judged("healthy_with_dip", DROP),
        judged("never_learned", DROP),
        judged("suspect_censored", DROP),
        judged("too_short"),
    ]
    found = scores(runs, alarmed)
    assert found.healthy_alarmed == Share(1, 2)
    assert found.dips_alarmed == Share(1, 1)
    assert found.never_learned_alarmed == Share(1, 1)
    assert found.early.of == 0


def test_early_late_and_by_the_crossing() -> None:
    runs = [
        judged("collapse", FAMILIES, onset=60),  # five before
        judged("collapse", FAMILIES, onset=55),  # at the onset
        judged("hard_fail", FAMILIES, onset=40),  # fifteen after
        judged("collapse", FAMILIES, onset=90),  # premature: the horizon is 22.5
        judged("slow_decay", FAMILIES, onset=90),  # has no horizon
    ]
    found = scores(runs, alarmed)
    assert found.early == Share(2, 5)
    assert found.late == Share(3, 5)
    assert found.by_crossing == Share(4, 5)  # 55 is before all crossings but 45
    assert found.premature == Share(1, 5)
    assert found.lead == (5, 5, 5)
    assert found.expected_lead == 5 / 4


def test_a_corpus_without_collapses_and_one_without_healthy_runs_have_no_such_score() -> None:
    healthy = scores([judged("healthy", FAMILIES)], alarmed)
    assert math.isnan(healthy.early.value) and healthy.healthy_alarmed == Share(1, 1)
    collapsed = scores([judged("collapse", FAMILIES, onset=60)], alarmed)
    assert math.isnan(collapsed.healthy_alarmed.value) and collapsed.early == Share(1, 1)
    assert math.isnan(scores([], alarmed).early.value)


def test_scores_are_json_with_null_for_what_is_undefined() -> None:
    raw = scores([judged("healthy")], alarmed).to_dict()
    again: dict[str, Any] = json.loads(json.dumps(raw, allow_nan=False))
    assert again["early_recall"] == {"hits": 0, "of": 0, "wilson": [None, None]}
    assert again["healthy_alarmed"]["at_most"] == pytest.approx(0.95)
    assert again["lead_quartiles"] == [None, None, None]


def test_the_references_know_nothing_of_the_run() -> None:
    run = judged("collapse", FAMILIES, onset=60)
    points = {name: list(rule(run)) for name, rule in references().items()}
    assert points["never"] == []
    assert points["always"] == list(range(100))
    assert points["every 100 records"] == [99]
    assert points["alarm or above, 10 records late"] == [65]


def test_the_same_alarms_differ_by_nothing_however_runs_are_drawn() -> None:
    runs = [
        scored(run, alarmed)
        for run in (judged("healthy", FAMILIES), judged("collapse", FAMILIES, onset=60))
    ]
    assert difference(runs, runs, ["a", "b"])["early_recall"] == (0, 0)


def test_a_run_is_judged_record_by_record_and_its_label_becomes_points() -> None:
    records = [Record(10 * i, values={"optim/grad_norm": math.nan}) for i in range(5)]
    run = judge(CorpusRun("", records, Label("hard_fail", 20, 30), {}, "g"))
    assert (run.onset, run.cross) == (2, 3)
    assert run.raised[0][1:] == ("critical", "non-finite")
    healthy = judge(CorpusRun("", records, Label("suspect_censored", 20, 30), {}, "g"))
    assert (healthy.onset, healthy.cross) == (None, None)


def test_what_a_row_is_worth_is_json_too() -> None:
    runs = [judged("healthy", FAMILIES), judged("healthy"), judged("collapse", FAMILIES, onset=60)]
    raw = scores(runs, alarmed).to_dict()
    assert raw["early_recall_rearmed"]["hits"] == raw["recall_10_later_rearmed"]["hits"] == 1
    assert raw["prevalence"] == pytest.approx(1 / 3)
    assert raw["precision"]["corpus"] == pytest.approx(0.5)
    # ten runs, one of which collapses: nine of which half are alarmed on at a tenth of its cost
    assert raw["net_benefit"]["0.1"]["0.1"] == pytest.approx(1 - 0.45)
    # an alarm at 55 warns of 56 to 73; of the collapse's records 45 are before its horizon
    assert raw["time_in_warning"] == pytest.approx(18 / 245)
    json.dumps(raw, allow_nan=False)


def test_chance_is_told_for_early_and_for_ten_later() -> None:
    runs = [judged("collapse", FAMILIES, onset=54), judged("healthy")]  # one late: early is none
    found = scores(runs, alarmed)
    assert found.chance == (0, 1)
    assert found.late_chance[0] == pytest.approx(0.5, abs=0.07)  # dealt to it half of the time
    assert found.late_chance[1] == pytest.approx(0.5, abs=0.07)


def test_a_score_that_hangs_on_one_group_moves_without_it() -> None:
    runs = [judged("healthy", FAMILIES, group="a"), judged("healthy"), judged("healthy")]
    assert scores(runs, alarmed).without_a_group["healthy_alarmed"] == (0, 1)


def test_alarms_that_see_it_coming_get_worse_ten_records_late() -> None:
    runs = [judged("collapse", FAMILIES, onset=60, group=str(i)) for i in range(4)]
    found = late_minus_now(runs, alarmed)
    assert found["early_recall"] == (-1, -1)
    assert found["recall_10_later"] == (0, 0)  # 65 is still within ten of 60


def test_runs_are_judged_in_order_however_many_processes_do_it() -> None:
    records = [Record(i, values={"optim/grad_norm": math.nan}) for i in range(3)]
    runs = [CorpusRun(str(i), records, Label("healthy"), {}, "g") for i in range(12)]
    alone, two = (list(judge_all(iter(runs), None, jobs)) for jobs in (1, 2))
    assert [run.name for run, _ in two] == [str(i) for i in range(12)]
    assert [run.raised for run, _ in two] == [run.raised for run, _ in alone]
    assert all(len(trace) == 3 for run, _ in two for trace in run.traces.values())
    assert all(calibrated is None for _, calibrated in two)


def test_healthy_runs_stand_beside_every_failure_and_by_no_other_fact() -> None:
    runs = [
        replace(judged("healthy"), facts={"failure": "healthy", "task": "a"}),
        replace(judged("collapse", onset=60), facts={"failure": "lag", "task": "b"}),
    ]
    assert {value: len(some) for value, some in by_fact(runs, "failure")} == {"lag": 2}
    assert {value: len(some) for value, some in by_fact(runs, "task")} == {"a": 1, "b": 1}
