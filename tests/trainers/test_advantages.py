from __future__ import annotations

import math

import pytest
import torch
from rollout_examples import random_rollouts, rollouts_of

from collapse_lab.trainers.advantages import (
    AnchorCredit,
    EntropyCredit,
    GroupCredit,
    step_returns,
)
from collapse_lab.trainers.terms import FormatPenalty


def close(tensor: torch.Tensor, wanted: list[float]) -> bool:
    return tensor.tolist() == pytest.approx(wanted, abs=1e-5)


def test_group_credit_is_the_reward_in_unbiased_deviations_of_its_group():
    # group 0: mean 1/3, unbiased std sqrt(1/3); group 1: mean 4, std sqrt(2)
    rollouts = rollouts_of([1, 0, 0, 5, 3], group=[0, 0, 0, 1, 1])
    third = math.sqrt(1 / 3)
    wanted = [2 / 3 / third, -1 / 3 / third, -1 / 3 / third, 1 / math.sqrt(2), -1 / math.sqrt(2)]
    assert close(GroupCredit()(rollouts), wanted)
    assert close(GroupCredit(scaled=False)(rollouts), [2 / 3, -1 / 3, -1 / 3, 1, -1])


def test_over_trajectories_a_long_episode_counts_once_and_over_turns_as_often_as_it_is_long():
    rollouts = rollouts_of([1, 1, 1, 0], trajectory=[0, 0, 0, 1], turn=[0, 1, 2, 0])
    assert close(GroupCredit(scaled=False)(rollouts), [0.5, 0.5, 0.5, -0.5])
    assert close(GroupCredit(scaled=False, over="turns")(rollouts), [0.25, 0.25, 0.25, -0.75])


def test_the_penalty_of_a_turn_is_its_own():
    rollouts = rollouts_of(
        [1, 1, 0],
        trajectory=[0, 0, 1],
        turn=[0, 1, 0],
        format_valid_B=torch.tensor([True, False, True]),
    )
    # the first trajectory's mean score is (1 + 0.9) / 2, the group's mean (0.95 + 0) / 2
    penalised = FormatPenalty(0.1)(rollouts)
    assert close(GroupCredit(scaled=False)(penalised), [0.525, 0.425, -0.475])


def test_a_group_of_one_keeps_its_score_and_a_flat_group_gets_zero():
    assert close(GroupCredit()(rollouts_of([3.0])), [3.0])
    assert close(GroupCredit()(rollouts_of([3.0, 3.0])), [0.0, 0.0])


def test_episodes_that_tie_leave_the_penalties_of_their_turns_as_they_are() -> None:
    penalty = torch.tensor([0.1, 0.0, 0.1, 0.0], dtype=torch.float64)
    tied = rollouts_of([0.0] * 4, trajectory=[0, 0, 1, 1], turn=[0, 1, 0, 1], penalty_B=penalty)
    assert GroupCredit()(tied).tolist() == pytest.approx([-0.05, 0.05, -0.05, 0.05], abs=1e-6)


def test_what_ties_gets_no_credit_for_the_rounding_of_its_mean() -> None:
    # in float32 the mean of six times 9.9 is one last place above each of them, 9.5e-7
    score = torch.full((6,), 9.9)
    tied = rollouts_of([9.9] * 6, anchor=[0] * 6, reward_B=score, step_reward_B=score)
    assert close(GroupCredit()(tied), [0.0] * 6)
    assert close(AnchorCredit()(tied), [0.0] * 6)


def test_group_ids_may_be_any_numbers_in_any_order():
    plain = random_rollouts()
    odd = plain.group_B * 10**12 - 5
    other = random_rollouts()
    object.__setattr__(other, "group_B", odd)
    assert torch.equal(AnchorCredit()(plain), AnchorCredit()(other))


def test_step_returns_discount_the_turns_that_follow_in_the_same_trajectory():
    rollouts = rollouts_of(
        [1, 1, 1, 4],
        trajectory=[0, 0, 0, 1],
        turn=[2, 0, 1, 0],
        step_reward=[1, 0, 2, 4],
    )
    assert step_returns(rollouts, 0.5).tolist() == [1, 1.25, 2.5, 4]


def test_an_anchor_of_one_gets_no_step_credit():
    rollouts = rollouts_of([1.0, 0.0, 5.0], anchor=[7, 7, 8])
    step_B = AnchorCredit().step(rollouts)
    assert step_B[2] == 0
    assert close(step_B, [math.sqrt(0.5), -math.sqrt(0.5), 0.0])
    assert close(AnchorCredit(scaled=False).step(rollouts), [0.5, -0.5, 0.0])


def test_equal_observations_of_different_groups_are_not_compared():
    rollouts = rollouts_of([1.0, 0.0], group=[0, 1], anchor=[7, 7])
    assert AnchorCredit().step(rollouts).tolist() == [0.0, 0.0]


def test_anchor_credit_adds_omega_times_the_step_credit_to_the_group_credit():
    rollouts = random_rollouts()
    credit = AnchorCredit(omega=0.5)
    assert torch.equal(credit(rollouts), GroupCredit()(rollouts) + 0.5 * credit.step(rollouts))


def test_entropy_credit_by_hand():
    # one trajectory of two turns and one of one turn; mean entropies 1, 3, 2 -> scaled 0, 1, 0.5
    rollouts = rollouts_of(
        [1, 1, 0],
        trajectory=[0, 0, 1],
        turn=[0, 1, 0],
        lengths=[2, 1, 1],
        entropy_BT=torch.tensor([[0.5, 1.5], [3.0, 99.0], [2.0, 99.0]], dtype=torch.float64),
    )
    g = [1.0, math.exp(-1), math.exp(-0.5)]
    mean_g = sum(g) / 3
    base = [0.5, 0.5, -0.5]
    raw = [
        g[0] / mean_g * base[0] + 0.05 * math.exp(-1),
        g[1] / mean_g * base[1],
        g[2] / mean_g * base[2],
    ]
    mean = sum(raw) / 3
    credit = EntropyCredit(episode=GroupCredit(scaled=False))
    assert close(credit(rollouts), [value - mean for value in raw])


def test_entropy_credit_without_entropies_says_what_is_missing():
    with pytest.raises(ValueError, match="entropy_BT"):
        EntropyCredit()(rollouts_of([1.0, 0.0]))
