"""The tables over real logs, on small logs whose numbers are worked out by hand."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks import corpus, exceedances, tables
from benchmarks.corpus import LabelledLog
from benchmarks.judge import Judgement
from collapse_lab.records import Record


def log(verdict: str, length: int = 20, collapse: int | None = None) -> LabelledLog:
    records = [Record(5 * point, values={"reward/mean": 1.0}) for point in range(length)]
    onset = collapse - 2 if collapse else None
    return LabelledLog("llm/a.log", "a/b", "llm", verdict, records, collapse, onset, "", key=())


def judged(*alarms: int, **residuals: list[float]) -> Judgement:
    series = {name.replace("__", "/"): np.array(values) for name, values in residuals.items()}
    return Judgement({"x": alarms}, [], series)


def test_exceedances_are_counted_again_after_an_exceedance():
    residuals = [3.0, 2.6, 0.0, 2.7, -9.0, 1.6]
    counts = exceedances.count([log("FLAT")], [judged(optim__grad_norm=residuals)])["all"]
    assert (counts[2.5].judged, counts[2.5].beyond) == (6, 3)
    assert (counts[2.5].after, counts[2.5].beyond_after) == (3, 1)
    assert (counts[1.5].beyond, counts[1.5].after, counts[1.5].beyond_after) == (4, 3, 1)


def test_where_both_directions_are_bad_each_is_a_series_of_its_own():
    counts = exceedances.count([log("FLAT")], [judged(policy__entropy=[3.0, -3.0, -3.0])])["all"]
    assert (counts[2.5].judged, counts[2.5].beyond) == (6, 3)
    assert (counts[2.5].after, counts[2.5].beyond_after) == (2, 1)


def test_a_step_without_a_residual_is_neither_an_exceedance_nor_its_successor():
    residuals = [3.0, math.nan, 3.0]
    counts = exceedances.count([log("FLAT")], [judged(optim__grad_norm=residuals)])["all"]
    assert (counts[2.5].judged, counts[2.5].beyond, counts[2.5].after) == (2, 2, 0)


def test_only_healthy_logs_are_counted():
    assert exceedances.count([log("MIXED")], [judged(optim__grad_norm=[3.0])]) == {}


def test_healthy_and_collapsed_runs_are_scored_and_the_rest_is_left_out():
    logs = [log("FLAT"), log("HEALTHY"), log("COLLAPSED", collapse=9), log("DIP+RECOVERED")]
    runs = tables.scored("x", logs, [judged(3)] * 4, "llm")
    assert [run.collapse for run in runs] == [None, None, 9]
    assert tables.scored("x", logs, [judged(3)] * 4, "control") == []


def test_the_beginning_of_the_fall_is_judged_on_its_own():
    [run] = tables.scored("x", [log("COLLAPSED", collapse=9)], [judged(8)], None, "onset")
    assert run.collapse == 7


def test_a_label_counts_the_records_that_carry_its_reward():
    rewarded = {3: 0.1, 7: 0.2, 9: 0.3}
    records = [
        Record(point, values={"acc": rewarded[point]} if point in rewarded else {"lr": 1.0})
        for point in range(10)
    ]
    assert corpus.label_points(records, "acc", 3) == [3, 7, 9]
    assert corpus.label_points(records, "acc", 4) is None


def test_a_label_made_by_step_counts_records_of_one_step_once():
    records = [Record(step, values={"reward/mean": 1.0}) for step in (1, 1, 2, 3, 3)]
    assert corpus.label_points(records, "episodic_return", 3) == [1, 2, 4]


def test_a_label_finds_its_reward_where_the_first_record_still_has_the_logs_own_name():
    records = [Record(0, values={"ep_rew_mean": 1.0}), Record(1, values={"reward/mean": 1.0})]
    assert corpus.label_points(records, "ep_rew_mean", 2) == [0, 1]
