"""Whether a signal moved before the fall: on series whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.arena_runs import ArenaRun
from benchmarks.moves import Asked, Moved, Series, Watched, asked, chance, moved
from benchmarks.precursors import DIRECTIONS, NEGATIVE_LOW, report
from collapse_lab.labels import Label

FLAT = np.tile(np.array([0.9, 1.0, 1.1], np.float64), 34)[:100]
"""Median 1 in every window, spread 1.4826 * .1."""


def rising(at: int, sign: float = 1.0) -> Series:
    return Series.of(np.asarray(FLAT + sign * 10 * (np.arange(100) >= at), np.float64))


def watched(series: Series, label: Label, task: str = "household") -> Watched:
    numbers = np.full(100, 0.5)
    run = ArenaRun(task, "cispo", 0, 4e-4, numbers, numbers, numbers, label)
    return Watched(run, dict.fromkeys(DIRECTIONS, series))


def test_a_signal_that_jumps_has_been_out_since_its_median_of_three_jumped():
    found = moved(rising(40), 50, "up")
    assert found is not None
    assert found.lead == 50 - 41  # at step 40 the median of three is still an old value
    assert found.distance == pytest.approx(10 / 0.14826)


def test_what_happens_from_the_step_on_is_not_looked_at():
    found = moved(rising(50), 50, "up")
    assert found is not None and found == (pytest.approx(0), 0)


def test_a_fall_counts_where_down_or_either_is_bad_and_not_where_up_is():
    leads = [
        moved(rising(40, -1.0), 50, direction).lead  # pyright: ignore
        for direction in ("up", "down", "either")
    ]
    assert leads == [0, 9, 9]


def test_a_way_back_into_the_band_ends_the_lead():
    series = FLAT.copy()
    series[30:40] += 10
    series[47:] += 10
    found = moved(Series.of(series), 50, "up")
    assert found is not None and found.lead == 2


def test_too_early_a_step_and_too_few_values_have_no_answer():
    assert moved(rising(40), 5, "up") is None
    series = np.where(np.arange(100) < 11, np.nan, FLAT)
    assert moved(Series.of(series), 50, "up") is None
    gone = np.where(np.arange(100) > 40, np.nan, FLAT)
    assert moved(Series.of(gone), 50, "up") is None


def test_a_collapsing_run_is_compared_with_the_healthy_runs_of_its_task_at_its_step():
    collapsing = [watched(rising(40), Label("collapse", 50, 60))]
    healthy = [
        watched(rising(99), Label("healthy")),
        watched(rising(30), Label("healthy")),
        watched(rising(30), Label("healthy"), "sokoban"),
    ]
    (answer,) = asked(collapsing, healthy, "ratio/khat", "up", "onset")
    assert answer.own.lead == 9
    assert [other.lead for other in answer.healthy] == [0, 19]
    assert answer.ahead == pytest.approx((1 + 0.5) / 2)  # further than one, as far as the other
    assert chance([answer]) == pytest.approx((0.75, 0.75, 0.75))


def test_the_interval_is_the_same_in_whatever_order_the_runs_come():
    healthy = [Moved(distance, 0) for distance in range(100)]
    ahead = (3, 11, 24, 38, 55, 71, 92)
    answers = [Asked(Moved(of - 0.5, 0), healthy) for of in ahead]
    assert chance(answers) == chance(answers[::-1])
    assert chance(answers)[0] == pytest.approx(sum(ahead) / 700)


def test_the_report_says_that_the_share_rose_and_more_than_in_healthy_runs():
    runs = [watched(rising(40), Label("collapse", 50, 60)) for _ in range(3)]
    runs += [watched(rising(99), Label("healthy")) for _ in range(4)]
    text = report(runs)
    assert text.startswith("7 runs: 3 collapsed, 4 healthy.")
    row = f"| {NEGATIVE_LOW[0]} | 3 | 3/3 | 9 (9 to 9) | 0 % | 1.00 [1.00, 1.00] |"
    assert row in text
    assert "3 of 3 collapsing runs, by 9 steps (median). It moves more than in healthy runs" in text


def test_a_root_without_a_collapse_has_a_report_too():
    assert "1 runs: 0 collapsed, 1 healthy." in report([watched(rising(99), Label("healthy"))])
