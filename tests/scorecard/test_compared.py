"""The table for comparison with other fields: which runs it rests on, and what stands where."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from collapse_lab.records import Severity
from collapse_lab.scorecard import (
    ALARM,
    BLIND,
    RECORD_NUMBER,
    JudgedRun,
    compare,
    compared_tables,
    references,
    rules,
    volumes,
)


def judged(kind: str, *points: int, onset: int | None = None) -> JudgedRun:
    """A `seer` is up exactly in the range of the collapse, and once it is no longer scored."""
    seer = np.zeros(100)
    if onset is not None:
        seer[onset - onset // 4 :] = 1
    raised: list[tuple[int, Severity, str]] = [(point, "alarm", "x") for point in points]
    return JudgedRun("", kind, "g", {}, range(100), onset, onset, raised, {"seer": seer})


RUNS = [
    judged("healthy"),
    judged("healthy_with_dip", 30),
    judged("collapse", 30, onset=40),
    judged("collapse", onset=40),
]
CUT_SHORT = judged("suspect_censored", 5, 50)


def test_the_scores_are_those_of_the_alarms_of_runs_that_count() -> None:
    for runs in (RUNS, [*RUNS, CUT_SHORT]):
        found = compare(runs, rules()[ALARM])
        assert found.nab == pytest.approx(100 * (1 - 1 - 0.11 + 2) / 4)
        assert (found.range_recall, found.range_precision) == (0.5, 0.5)


def test_the_rows_that_know_nothing_have_their_known_values() -> None:
    rows = {name: compare(RUNS, rule) for name, rule in references().items()}
    assert rows["never"].nab == 0 and rows["never"].range_recall == 0
    assert math.isnan(rows["never"].range_precision)
    assert rows["always"].range_recall == pytest.approx(1)
    assert rows["always"].nab < -500


def test_a_volume_rests_on_records_up_to_ten_after_the_onset() -> None:
    found = volumes([*RUNS, CUT_SHORT])
    assert list(found) == ["seer", RECORD_NUMBER, BLIND]
    # 42 records in ranges of 302 that are scored, besides those in buffers before them
    assert 42 / 302 < found[BLIND] < (42 + 2 * 10) / 302
    assert found["seer"] > 0.8
    assert found[RECORD_NUMBER] < found[BLIND]


def test_a_slow_decay_is_a_range_from_the_first_record() -> None:
    decay = judged("slow_decay", 3, onset=40)
    assert compare([decay], rules()[ALARM]).range_precision == 1
    assert volumes([decay])[BLIND] == pytest.approx(1)


def test_one_table_has_the_alarms_and_then_the_scores() -> None:
    rows = {name: compare(RUNS, rule) for name, rule in (rules() | references()).items()}
    table = compared_tables.compared(rows, volumes(RUNS))
    assert "| alarm or above | 47.2 | 0.50 | 0.50 |  |" in table
    assert "| never | 0 | 0.00 | - |  |" in table
    assert f"| {BLIND} |  |  |  | 0." in table


def test_without_collapses_it_is_dashes_and_json_all_the_same() -> None:
    for runs in (RUNS[:1], []):
        found = compare(runs, rules()[ALARM])
        assert set(json.loads(json.dumps(found.to_dict(), allow_nan=False)).values()) == {None}
        assert all(math.isnan(one) for one in volumes(runs).values())
    table = compared_tables.compared({ALARM: compare([], rules()[ALARM])}, volumes([]))
    assert f"| {ALARM} | - | - | - |  |" in table
