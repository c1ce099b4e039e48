"""The tables of scores, read as Markdown."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from collapse_lab.calibration.conformal import NAMES
from collapse_lab.records import Severity
from collapse_lab.scorecard import LATER, JudgedRun, held_out, rank, rules, scores, tables


def judged(kind: str, point: int | None, onset: int | None = None) -> JudgedRun:
    raised: list[tuple[int, Severity, str]] = [(point, "alarm", "x")] if point is not None else []
    return JudgedRun("", kind, "g", {"task": "t"}, range(100), onset, onset, raised)


RUNS = [
    judged("healthy", None),
    judged("healthy", 49),
    judged("collapse", 50, onset=60),
    judged("collapse", None, onset=60),
]


def cells(table: str, name: str) -> dict[str, str]:
    """Column -> cell of the row of that name."""
    header, _, *lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()
    ]
    return dict(zip(header, next(line for line in lines if line[0] == name), strict=True))


def test_a_row_says_what_its_alarms_are_worth() -> None:
    rows = {name: scores(RUNS, rule, deals=1) for name, rule in rules().items()}
    tier = cells(tables.worth(rows), "alarm or above")
    assert tier["re-armed"].startswith("1/2, 50 %")
    assert tier["precision here (50 %)"] == "50 %"
    assert tier["at 10 %"] == "10 %"
    assert tier["compute saved"] == "24 %"  # 49 of hundred left, in one of two
    assert tier["benefit at 0.1"] == "0.05"  # 0.5 - 0.1 * 0.5 * 9
    assert cells(tables.worth(rows), "critical")["benefit at 1"] == "0.00"
    assert cells(tables.leads(rows), "alarm or above")["+10"] == "50 %"
    assert cells(tables.operating_points(rows), "alarm or above")["early"].startswith("1/2, 50 %")


def test_a_premature_alarm_is_no_right_one() -> None:
    first = [judged("healthy", None), judged("collapse", 50, 60), judged("collapse", 10, 60)]
    rows = {name: scores(first, rule, deals=1) for name, rule in rules().items()}
    assert cells(tables.worth(rows), "alarm or above")["precision here (67 %)"] == "50 %"


def test_alarms_at_random_times_stand_beside_the_alarm_tier_and_no_other_row() -> None:
    rows = {name: scores(RUNS, rule, deals=1) for name, rule in rules().items()}
    table = tables.operating_points(rows)
    assert table.count("at random, as often as") == 1
    row = cells(table, "at random, as often as alarm or above")
    # half of the healthy runs of 100 records: q = 0.5 ** 0.01, a horizon of 15 before 60
    assert row["healthy alarmed"] == "50 %"
    assert row["early"] == "7 %"  # q ** 45 - q ** 60
    assert row["by onset + 10"] == "12 %"  # q ** 45 - q ** 71
    assert row["by half lost"] == "34 %"  # 1 - q ** 61
    assert row["premature"] == "27 %"  # 1 - q ** 45
    assert row["p"] == "0.227"  # at least one of two by ten later, as the tier has


def test_a_chance_that_three_digits_cannot_show_is_not_called_zero() -> None:
    silent = [judged("healthy", None)] * 999
    runs = [*silent, judged("healthy", 49), judged("collapse", 50, onset=60)]
    rows = {name: scores(runs, rule, deals=1) for name, rule in rules().items()}
    row = cells(tables.operating_points(rows), "at random, as often as alarm or above")
    assert row["p"] == "< 0.001"  # one in 1,000 healthy runs is alarmed on


def test_where_there_is_nothing_to_say_there_is_a_dash() -> None:
    rows = {name: scores(RUNS[:2], rule, deals=1) for name, rule in rules().items()}
    assert cells(tables.worth(rows), "critical")["re-armed"] == "-"
    assert cells(tables.ranks(rank(RUNS[:2], (5,))), "record number")["AUPRC"] == "-"


def test_a_value_that_cannot_be_left_out_says_so() -> None:
    row = cells(tables.held_out(held_out(RUNS, "task", 0.05)), "t")
    assert row["limits of"] == "too few runs"


def test_a_table_in_time_says_so_and_one_without_times_says_that() -> None:
    traces = dict.fromkeys(NAMES, np.zeros(100))
    dated = [replace(run, made=float(at), traces=traces) for at, run in enumerate(RUNS)]
    found = held_out(dated, LATER, 0.05)
    assert tables.held_out_title(found) == "Without what was made later, alpha 0.05"
    assert tables.held_out(found).startswith("| made later | limits of |")
    assert cells(tables.held_out(found), "part 2 of 4")["limits of"] == "too few runs"
    assert cells(tables.held_out(found), "all: cusum alone")["limits of"] == "those before"
    undated = held_out([replace(run, made=math.nan) for run in dated], LATER, 0.05)
    assert tables.held_out(undated) == "No run says when it was made."


def test_paired_intervals_are_read_as_a_sentence() -> None:
    ends = {"early_recall": (-0.5, 0.0), "healthy_alarmed": (math.nan, math.nan)}
    assert tables.difference("Late minus now", ends) == (
        "Late minus now, early recall: -0.50 to +0.00\nLate minus now, healthy alarmed: -"
    )
