"""The sweep's arithmetic, on runs with known outcomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.arena import HELD_OUT, SUCCESS, TURNS, bootstrap, last_attempt, outcome, summary
from collapse_lab.records import Record
from collapse_lab.store import RunWriter


def kept_run(root: Path, algorithm: str, seed: int, success: list[float]) -> Path:
    folder = root / f"household-{algorithm}-{seed}"
    config = {"task": "household", "algorithm": algorithm, "seed": seed}
    writer = RunWriter(folder, {"config": config})
    for step, value in enumerate(success):
        values = {SUCCESS: value, TURNS: 100.0 * (step + 1)}
        writer.append(Record(step, values=values | ({HELD_OUT: value} if step % 10 == 9 else {})))
    writer.finish()
    return folder


RISES = [0.25 + 0.005 * step for step in range(100)]
FALLS = [0.25 + 0.01 * step if step < 40 else 0.0 for step in range(100)]


def test_a_run_that_falls_to_nothing_has_collapsed_at_the_step_where_half_was_gone(tmp_path: Path):
    run = outcome(kept_run(tmp_path, "cispo", 0, FALLS))
    assert run is not None
    assert run.collapsed
    assert run.label.cross is not None and 40 <= run.label.cross <= 43  # a median of five lags
    assert run.peak == pytest.approx(0.25 + 0.01 * 34.5)
    assert (run.end, run.held_out, run.turns) == (0, 0, 10_000)


def test_a_run_that_is_going_on_has_no_outcome(tmp_path: Path):
    RunWriter(tmp_path / "going")
    assert outcome(tmp_path / "going") is None


def test_steps_that_a_resumed_run_did_again_count_once():
    records = [Record(step, values={"x": x}) for x, step in enumerate([0, 1, 2, 1, 2, 3])]
    assert [(r.step, r.values["x"]) for r in last_attempt(records)] == [
        (0, 0),
        (1, 3),
        (2, 4),
        (3, 5),
    ]


def test_the_interval_of_equal_values_is_a_point_and_of_two_is_their_range():
    assert bootstrap([0.4, 0.4, 0.4]) == pytest.approx((0.4, 0.4, 0.4))
    assert bootstrap([0.0, 1.0]) == pytest.approx((0.5, 0.0, 1.0))


def test_the_summary_puts_the_best_end_first_and_counts_collapses(tmp_path: Path):
    folders = [
        kept_run(tmp_path, algorithm, seed, success)
        for algorithm, success in (("cispo", FALLS), ("sampo", RISES))
        for seed in range(2)
    ]
    runs = [run for folder in folders if (run := outcome(folder))]
    title, _, _, _, best, worst = summary(runs).splitlines()
    assert title == "### household"
    assert best.startswith("| sampo | 2 | 0.72 [0.72, 0.72] | 0.72") and "| 0/2 | - |" in best
    assert worst.startswith("| cispo | 2 |") and "| 2/2 | 4" in worst
