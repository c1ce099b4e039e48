"""Tier 0: hard failures at the very step, numbers that cannot be trusted soon after."""

from __future__ import annotations

import math

import pytest

from collapse_lab.detectors.panel import Panel
from collapse_lab.records import Alarm, Record


def run(name: str, values: list[float], **others: float) -> list[Alarm]:
    panel = Panel()
    return [
        alarm
        for index, value in enumerate(values)
        for alarm in panel.update(Record(index, values={name: value, **others}))
    ]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["optim/grad_norm", "loss/total"])
def test_a_non_finite_loss_or_gradient_is_critical_at_that_step(name: str, value: float) -> None:
    found = run(name, [1.0, 1.1, value, 1.0])
    assert [(a.step, a.severity, a.detector, a.signals) for a in found] == [
        (2, "critical", "non-finite", (name,))
    ]
    assert found[0].last_healthy_step == 1


def test_a_gradient_that_is_never_a_number_is_told_once_at_the_first_step() -> None:
    assert [a.step for a in run("optim/grad_norm", [math.nan] * 30)] == [0]


def test_another_signal_must_stay_non_finite_to_be_critical() -> None:
    assert run("policy/entropy", [0.5 + i / 1000 for i in range(8)] + [math.nan, 0.5]) == []
    found = run("policy/entropy", [0.5 + i / 1000 for i in range(8)] + [math.nan, math.nan])
    assert [(a.step, a.since, a.severity) for a in found] == [(9, 8, "critical")]


def test_a_metric_that_was_never_a_number_is_not_an_alarm() -> None:
    assert run("kl/ref", [math.nan] * 50) == []


def test_a_gradient_that_explodes_and_stays_is_critical_at_its_third_record() -> None:
    usual = [1.0 + 0.1 * (i % 3) for i in range(30)]
    found = [a for a in run("optim/grad_norm", [*usual, 50.0, 60.0, 70.0]) if a.severity != "watch"]
    assert [(a.step, a.since, a.detector) for a in found] == [(32, 30, "explosion")]


def test_an_infinite_gradient_hides_no_explosion_that_comes_after() -> None:
    usual = [math.inf, *(1.0 + 0.1 * (i % 3) for i in range(30))]
    found = run("optim/grad_norm", [*usual, 50.0, 60.0, 70.0])
    assert [(a.step, a.detector) for a in found if a.severity != "watch"] == [
        (0, "non-finite"),
        (33, "explosion"),
    ]


def test_two_spikes_of_the_gradient_are_not_an_explosion() -> None:
    usual = [1.0 + 0.1 * (i % 3) for i in range(30)]
    found = run("optim/grad_norm", [*usual, 50.0, 60.0, *usual])
    assert [a for a in found if a.detector == "explosion"] == []


def test_zero_gradients_between_spikes_do_not_lower_what_is_usual() -> None:
    usual = [0.0, 0.0, 0.0, 1.0] * 20
    assert [a for a in run("optim/grad_norm", usual) if a.severity == "critical"] == []


def test_a_reward_stuck_at_its_lowest_without_spread_is_a_dead_policy() -> None:
    panel = Panel()
    found: list[Alarm] = []
    for index in range(60):
        alive = index < 40
        reward = 0.6 + 0.01 * (index % 3) if alive else 0.0
        values = {"reward/mean": reward, "reward/group_std": 0.2 if alive else 0.0}
        found += panel.update(Record(index, values=values))
    dead = [a for a in found if a.detector == "dead-policy"]
    assert [(a.step, a.evidence[0].since, a.severity) for a in dead] == [(49, 40, "critical")]


@pytest.mark.parametrize(("loss", "last_breath"), [(0.02, 69), (0.2, 43)])
def test_a_dead_policy_began_to_die_where_its_reward_began_to_fall(
    loss: float, last_breath: int
) -> None:
    """It earns 0.6, give or take 0.01, until step 39 and loses so much a step from there."""
    panel, found = Panel(), list[Alarm]()
    for step in range(80):
        reward = max(0.0, 0.6 + 0.01 * (-1) ** step - loss * max(0, step - 39))
        alive = reward > 0
        values = {"reward/mean": reward, "reward/zero_std_frac": 0.1 if alive else 1.0}
        found += panel.update(Record(step, values=values))
    (dead,) = (a for a in found if a.detector == "dead-policy")
    low, high = dead.since_interval
    assert dead.step == last_breath + 9 and dead.evidence[0].since == last_breath
    assert 38 <= low <= dead.since <= high <= 40
    assert dead.last_healthy_step == low - 1


def test_a_policy_that_is_dead_from_its_second_record_on_fell_after_its_first() -> None:
    panel, found = Panel(), list[Alarm]()
    for step in range(11):
        values = {"reward/mean": float(step == 0), "reward/group_std": 0.0}
        found += panel.update(Record(step, values=values))
    (dead,) = (a for a in found if a.detector == "dead-policy")
    assert (dead.since, dead.since_interval, dead.last_healthy_step) == (0, (0, 0), None)


def test_a_solved_task_without_spread_is_not_a_dead_policy() -> None:
    panel = Panel()
    for index in range(60):
        values = {"reward/mean": min(1.0, index / 20), "reward/group_std": 0.0}
        assert [
            a for a in panel.update(Record(index, values=values)) if a.severity != "watch"
        ] == []


def test_groups_without_spread_for_ten_records_are_watched() -> None:
    found = run("reward/zero_std_frac", [0.2, 0.3] * 5 + [0.95] * 12)
    assert [(a.step, a.since, a.severity) for a in found if a.detector == "starvation"] == [
        (19, 10, "watch")
    ]


def test_importance_weights_without_an_effective_sample_are_watched_once() -> None:
    found = run("ratio/ess_frac", [0.8, 0.7, 0.05, 0.04, 0.06, 0.05, 0.03])
    assert [a.step for a in found if a.detector == "unreliable-weights"] == [4]


def test_a_heavy_tail_counts_only_where_the_effective_sample_has_halved() -> None:
    heavy = {"ratio/khat": 0.9}
    assert run("ratio/ess_frac", [0.97] * 15, **heavy) == []
    found = run("ratio/ess_frac", [0.97] * 10 + [0.4 + i / 1000 for i in range(10)], **heavy)
    assert [a.step for a in found if a.detector == "unreliable-weights"] == [12]


def test_a_metric_that_stopped_moving_is_watched_unless_it_may_be_constant() -> None:
    assert [a.step for a in run("policy/entropy", [0.731] * 30)] == [19]
    assert run("ratio/clip_frac", [0.0] * 100) == []
