"""The sweep's arithmetic, on runs with known outcomes."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.arena_curves import draw
from benchmarks.arena_runs import HELD_OUT, SUCCESS, TURNS, ArenaRun, read_run, read_runs
from benchmarks.arena_tables import best_rate, best_rates, bootstrap, compute_matched, summary
from collapse_lab.records import Record
from collapse_lab.store import RECORDS, RunWriter


def kept_run(
    root: Path,
    algorithm: str,
    seed: int,
    success: list[float],
    turns_a_step: float = 100.0,
    rate: float = 4e-4,
) -> Path:
    folder = root / f"household-{algorithm}-{seed}"
    config = {"task": "household", "algorithm": algorithm, "seed": seed, "lr": rate}
    writer = RunWriter(folder, {"config": config})
    for step, value in enumerate(success):
        values = {SUCCESS: value, TURNS: turns_a_step * (step + 1)}
        writer.append(Record(step, values=values | ({HELD_OUT: value} if step % 10 == 9 else {})))
    writer.finish()
    return folder


def made_run(*arguments: object, **named: object) -> ArenaRun:
    run = read_run(kept_run(*arguments, **named))  # pyright: ignore
    assert run is not None
    return run


RISES = [0.25 + 0.005 * step for step in range(100)]
FALLS = [0.25 + 0.01 * step if step < 40 else 0.0 for step in range(100)]


def test_a_run_that_falls_to_nothing_has_collapsed_at_the_step_where_half_was_gone(tmp_path: Path):
    run = made_run(tmp_path, "cispo", 0, FALLS)
    assert run.collapsed
    assert run.cross is not None and 40 <= run.cross <= 43  # a median of five lags
    assert run.peak == pytest.approx(0.25 + 0.01 * 34.5)
    assert (run.end, run.held_out_end, run.spent) == (0, 0, 10_000)


def test_a_run_that_is_going_on_has_no_outcome(tmp_path: Path):
    RunWriter(tmp_path / "going")
    assert read_run(tmp_path / "going") is None


def test_a_run_of_which_only_the_sealed_records_were_kept_is_read_all_the_same(tmp_path: Path):
    folder = kept_run(tmp_path, "grpo", 0, RISES)
    (folder / RECORDS).unlink()
    run = read_run(folder)
    assert run is not None and run.success.tolist() == RISES


def test_a_run_under_two_roots_counts_once(tmp_path: Path):
    for root in ("one", "two"):
        kept_run(tmp_path / root, "grpo", 0, RISES)
    assert len(read_runs([tmp_path / "one", tmp_path / "two"])) == 1


def test_within_a_budget_a_run_is_what_it_was_when_the_budget_was_spent(tmp_path: Path):
    run = made_run(tmp_path, "cispo", 0, FALLS)
    before, exact = run.within(3_050), run.within(3_000)
    assert (before.steps, exact.steps) == (30, 30)
    assert before.end == pytest.approx(0.25 + 0.01 * 24.5)
    assert before.held_out_end == pytest.approx(0.25 + 0.29)
    assert not before.collapsed and run.within(6_000).collapsed


def test_the_compute_matched_table_stops_everybody_where_the_cheapest_algorithm_ended(
    tmp_path: Path,
):
    dear = made_run(tmp_path, "sampo", 0, RISES, turns_a_step=200.0)
    cheap = made_run(tmp_path, "cispo", 0, FALLS)
    title, _, _, _, best, worst = compute_matched([dear, cheap]).splitlines()
    assert title == "### household, after 10,000 environment steps"
    assert best.startswith("| sampo | 1 | 0.47 [0.47, 0.47] | 0.47") and best.endswith(
        "| 0/1 | - | 50 | 10,000 |"
    )
    assert worst.endswith("| 100 | 10,000 |")


def test_an_algorithm_is_shown_at_the_rate_where_it_ends_best(tmp_path: Path):
    runs = [
        made_run(tmp_path / f"{rate:g}", "cispo", seed, success, rate=rate)
        for rate, success in ((2e-4, RISES), (8e-4, FALLS))
        for seed in range(2)
    ]
    assert best_rate(runs) == 2e-4
    text = best_rates(runs)
    assert "| cispo | 0.0002 | 2 | 0.72 [0.72, 0.72]" in text
    assert "| cispo | 0.72 (0/2) | 0.00 (2/2) |" in text


def test_of_two_rates_that_end_alike_the_lower_one_is_best(tmp_path: Path):
    runs = [made_run(tmp_path / f"{rate:g}", "grpo", 0, RISES, rate=rate) for rate in (8e-4, 2e-4)]
    assert best_rate(runs) == 2e-4


def test_the_interval_of_equal_values_is_a_point_and_of_two_is_their_range():
    assert bootstrap([0.4, 0.4, 0.4]) == pytest.approx((0.4, 0.4, 0.4))
    assert bootstrap([0.0, 1.0]) == pytest.approx((0.5, 0.0, 1.0))


def test_the_summary_puts_the_best_end_first_and_counts_collapses(tmp_path: Path):
    runs = [
        made_run(tmp_path, algorithm, seed, success)
        for algorithm, success in (("cispo", FALLS), ("sampo", RISES))
        for seed in range(2)
    ]
    title, _, _, _, best, worst = summary(runs).splitlines()
    assert title == "### household"
    assert best.startswith("| sampo | 2 | 0.72 [0.72, 0.72] | 0.72") and "| 0/2 | - |" in best
    assert worst.startswith("| cispo | 2 |") and "| 2/2 | 4" in worst


def test_the_curves_are_one_panel_an_algorithm_and_mark_each_seed_that_collapsed(tmp_path: Path):
    runs = [made_run(tmp_path, "cispo", seed, FALLS) for seed in range(2)]
    runs += [made_run(tmp_path, "sampo", 0, RISES)]
    svg = ElementTree.fromstring(draw(runs))
    texts = ["".join(part.itertext()) for part in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert {"sampo 0 of 1 collapsed", "cispo 2 of 2 collapsed"} <= set(texts)
    marked = [part.text for part in svg.iter("{http://www.w3.org/2000/svg}title")]
    assert [mark.split(",")[0] for mark in marked if mark] == ["seed 0", "seed 1"]
