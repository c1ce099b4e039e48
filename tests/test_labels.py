"""The offline rule: collapse, dip, slow decay and their times, on curves whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from collapse_lab.labels import label_run
from collapse_lab.records import Record


def records(rewards: list[float], **others: list[float]) -> list[Record]:
    return [
        Record(
            10 * index,
            values={"reward/mean": reward}
            | {name.replace("__", "/"): column[index] for name, column in others.items()},
        )
        for index, reward in enumerate(rewards)
    ]


def curve(levels: list[float], sigma: float = 0.03, seed: int = 0) -> list[float]:
    rng = np.random.default_rng(seed)
    return [float(np.clip(level + rng.normal(0, sigma), 0, 1)) for level in levels]


def test_a_fall_for_good_is_a_collapse_with_its_onset_where_the_fall_began() -> None:
    fall = [0.8 - 0.08 * i for i in range(1, 11)]
    label = label_run(records(curve([0.8] * 100 + fall + [0.0] * 60)))
    assert label.kind == "collapse"
    assert label.onset == pytest.approx(1000, abs=40)  # steps are ten times the index
    assert label.cross == pytest.approx(1060, abs=40)


def test_a_fall_that_recovers_is_a_dip() -> None:
    label = label_run(records(curve([0.8] * 100 + [0.1] * 20 + [0.8] * 80)))
    assert label.kind == "healthy_with_dip"
    assert label.onset is None


def test_a_steady_run_is_healthy() -> None:
    assert label_run(records(curve([0.2 + i / 400 for i in range(200)]))).kind == "healthy"


def test_a_decay_over_most_of_the_run_is_slow() -> None:
    decay = [0.9 * (1 - i / 300) for i in range(300)]
    assert label_run(records(curve([0.9] * 20 + decay + [0.0] * 60))).kind == "slow_decay"


def test_a_reward_that_is_always_zero_never_learned() -> None:
    assert label_run(records([0.0] * 130)).kind == "never_learned"


def test_noise_around_nothing_never_learned() -> None:
    rewards = np.random.default_rng(0).uniform(0, 0.1, 200).tolist()
    assert label_run(records(rewards)).kind == "never_learned"


def test_a_fall_too_close_to_the_end_is_suspected_only() -> None:
    assert label_run(records(curve([0.8] * 100 + [0.0] * 8))).kind == "suspect_censored"


def test_a_handful_of_records_is_too_short() -> None:
    assert label_run(records(curve([0.8] * 14))).kind == "too_short"
    assert label_run(records(curve([0.8] * 15))).kind == "healthy"
    evaluated = [Record(i, values={"eval/score": 0.5} if i == 9 else {}) for i in range(50)]
    assert label_run(evaluated).kind == "too_short"


def test_a_run_without_a_reward_is_told_so() -> None:
    assert label_run([Record(i, values={"policy/entropy": 0.5}) for i in range(50)]).kind == (
        "no_reward"
    )
    assert label_run(records([math.nan] * 50)).kind == "no_reward"


def test_a_gradient_that_stays_non_finite_is_a_hard_failure_at_its_first_step() -> None:
    gradient = [1.0] * 50 + [math.nan] * 10
    label = label_run(records(curve([0.8] * 60), optim__grad_norm=gradient))
    assert (label.kind, label.onset) == ("hard_fail", 500)


def test_one_non_finite_gradient_is_not() -> None:
    gradient = [1.0] * 50 + [math.inf] + [1.0] * 9
    assert label_run(records(curve([0.8] * 60), optim__grad_norm=gradient)).kind == "healthy"


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_the_label_does_not_depend_on_the_rewards_unit(scale: float) -> None:
    rewards = curve([0.8] * 100 + [0.0] * 60)
    assert label_run(records([scale * r for r in rewards])) == label_run(records(rewards))


def test_the_onset_of_a_hundred_drawn_collapses_is_found_within_a_few_records() -> None:
    errors: list[float] = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        onset, length = int(rng.integers(60, 140)), int(rng.integers(2, 15))
        fall = [0.7 * (1 - (i + 1) / length) for i in range(length)]
        rewards = curve([0.7] * onset + fall + [0.0] * 80, 0.04, seed)
        label = label_run(records(rewards))
        assert label.kind == "collapse"
        assert label.onset is not None
        errors.append(label.onset / 10 - onset)
    assert abs(float(np.median(errors))) <= 3
    assert float(np.mean(np.abs(errors) <= 6)) >= 0.9
