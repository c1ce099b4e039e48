"""How soon a fall can be told: a mean under the best one, and the limit of healthy runs."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.ceiling_fall import WINDOWS, Run, lost_by_then, report, rows_of


def test_a_loss_is_the_mean_now_under_the_best_mean_before_it():
    rewards = np.array([0.0, 1.0, 2.0, 2.0, 2.0, 1.0, 0.0])
    run = Run(rewards)
    # references of three end before the window of two: means 1, 5/3, 2; now 2, 1.5, .5
    expected = [-np.inf] * 4 + [1 - 2, 5 / 3 - 1.5, 2 - 0.5]
    assert run.lost(2, 3, "reward") == pytest.approx(expected)
    assert run.lost(2, 3, "gain") == pytest.approx([-np.inf] * 4 + [-1, 0.1, 0.75])


def test_a_run_shorter_than_both_windows_has_lost_nothing():
    assert (Run(np.ones(5)).lost(3, 3, "noise") == -np.inf).all()


def test_noise_is_that_of_the_steps_so_far():
    steady = np.tile([1.0, 1.2], 20)
    quiet, loud = Run(np.append(steady, [0.5, 0.5])), Run(np.append(5 * steady, [2.5, 2.5]))
    one, other = (run.lost(1, 5, "noise")[-2:] for run in (quiet, loud))
    assert one == pytest.approx(other)  # five times the reward, five times the noise


def falling(onset: int, seed: int) -> Run:
    random = np.random.default_rng(seed)
    rewards = 1 + random.normal(scale=0.02, size=60)
    rewards[onset:] -= np.minimum(1.0, 0.1 * np.arange(60 - onset))
    return Run(rewards, onset, onset + 5)


def test_a_fall_that_no_healthy_run_comes_near_is_told_at_once():
    random = np.random.default_rng(0)
    healthy = [Run(1 + random.normal(scale=0.02, size=60)) for _ in range(20)]
    runs = [*healthy, *(falling(30, seed) for seed in range(10))]
    best = rows_of(runs)[0]
    assert (best.early, best.later, best.half_lost) == (0, 10, 10)
    assert len(rows_of(runs)) == 3 * len(WINDOWS)


def test_healthy_runs_that_lose_as_much_and_come_back_hide_every_fall():
    dips = [falling(20, seed).rewards for seed in range(20)]
    for rewards in dips:
        rewards[40:] = 1.0
    runs = [*(Run(rewards) for rewards in dips), *(falling(30, seed) for seed in range(10))]
    assert max(row.later for row in rows_of(runs) if row.unit == "gain") <= 2


def test_what_is_gone_ten_records_later_is_told_over_five():
    rewards = np.ones(40)
    rewards[20:] = 1 - 0.05 * np.arange(20)
    run = Run(rewards, onset=20, cross=30)
    assert lost_by_then(run) == pytest.approx(0.05 * 8)  # records 6 to 10 after the onset
    assert "a collapse has lost 40 % of its gain" in report([run, Run(np.ones(40))])
