from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from rollout_examples import random_rollouts, rollouts_of

from collapse_lab.trainers.rollouts import concat


def test_a_wrong_shape_is_refused_with_the_field_and_both_shapes():
    with pytest.raises(ValueError, match=r"reward_B has shape \(2,\); B here is \(3,\)"):
        rollouts_of([1.0, 0.0, 1.0], reward_B=torch.zeros(2))


def test_a_wrong_type_is_refused_with_what_it_must_be():
    with pytest.raises(ValueError, match=r"mask_BT must be bool and is torch.float32"):
        rollouts_of([1.0], mask_BT=torch.ones(1, 1))
    with pytest.raises(ValueError, match="anchor_B must be int64"):
        rollouts_of([1.0], anchor_B=torch.zeros(1))


def test_a_mask_with_a_hole_is_refused():
    good = rollouts_of([1.0], lengths=[3])
    with pytest.raises(ValueError, match="right-padded"):
        replace(good, mask_BT=torch.tensor([[True, False, True]])).checked()


def test_a_right_padded_prompt_is_refused():
    bad = rollouts_of(
        [1.0],
        prompt_ids_BP=torch.zeros(1, 2, dtype=torch.int64),
        prompt_mask_BP=torch.tensor([[True, False]]),
    )
    with pytest.raises(ValueError, match="left-padded"):
        bad.checked()


def test_an_empty_response_is_refused_with_its_row():
    with pytest.raises(ValueError, match="row 1 has an empty response"):
        rollouts_of([1.0, 0.0], lengths=[2, 0]).checked()


def test_a_non_finite_log_prob_is_refused_only_where_a_token_counts():
    logp = torch.tensor([[-1.0, -1.0], [-1.0, torch.nan]])
    assert rollouts_of([1.0, 0.0], lengths=[2, 1], old_logp_BT=logp).checked()
    with pytest.raises(ValueError, match="old_logp_BT"):
        rollouts_of([1.0, 0.0], lengths=[2, 2], old_logp_BT=logp).checked()


def test_two_rewards_in_one_trajectory_are_refused():
    with pytest.raises(ValueError, match="reward_B differs"):
        rollouts_of([1.0, 0.0, 1.0], trajectory=[7, 8, 8]).checked()
    with pytest.raises(ValueError, match="group_B differs"):
        rollouts_of([1.0, 1.0], trajectory=[7, 7], group=[0, 1]).checked()


def test_the_score_is_the_reward_less_the_penalty_and_the_reward_stays():
    penalised = rollouts_of([1.0, 0.0], penalty_B=torch.tensor([0.0, 0.1], dtype=torch.float64))
    assert penalised.score_B.tolist() == [1.0, -0.1]
    assert penalised.reward_B.tolist() == [1.0, 0.0]


def test_select_takes_indices_in_their_order_or_a_mask():
    rollouts = rollouts_of([1.0, 2.0, 3.0])
    assert rollouts.select(torch.tensor([2, 0])).reward_B.tolist() == [3.0, 1.0]
    assert rollouts.select(rollouts.reward_B > 1.5).prompt_ids_BP.tolist() == [[11], [12]]


def test_batches_hold_every_row_once_and_a_seed_repeats_them():
    rollouts = random_rollouts()
    one, two = (
        torch.cat(list(rollouts.batches(5, torch.Generator().manual_seed(3)))) for _ in range(2)
    )
    assert torch.equal(one, two)
    assert sorted(one.tolist()) == list(range(len(rollouts)))
    assert [len(rows) for rows in rollouts_of([0.0] * 7).batches(3)] == [3, 3, 1]


def test_trimming_cuts_only_what_is_padding_in_every_row():
    wide = rollouts_of(
        [1.0, 0.0],
        lengths=[3, 2],
        prompt_ids_BP=torch.tensor([[0, 0, 5], [0, 6, 7]]),
        prompt_mask_BP=torch.tensor([[False, False, True], [False, True, True]]),
    )
    short = wide.select(torch.tensor([1])).trimmed()
    assert short.mask_BT.shape == (1, 2)
    assert short.prompt_ids_BP.tolist() == [[6, 7]]


def test_concat_keeps_groups_and_trajectories_of_different_parts_apart():
    a = rollouts_of([1.0, 0.0], group=[4, 5], trajectory=[9, -3], lengths=[2, 1])
    b = rollouts_of([0.0, 1.0], group=[4, 4], trajectory=[9, 8], lengths=[1, 3])
    both = concat([a, b]).checked()
    assert both.reward_B.tolist() == [1.0, 0.0, 0.0, 1.0]
    assert both.mask_BT.sum(1).tolist() == [2, 1, 1, 3]
    assert len(set(both.group_B.tolist())) == 3
    assert both.group_B[2] == both.group_B[3]
    assert len(set(both.trajectory_B.tolist())) == 4


def test_concat_drops_an_optional_tensor_that_a_part_lacks():
    a = rollouts_of([1.0], ref_logp_BT=torch.zeros(1, 1))
    assert concat([a, rollouts_of([0.0])]).ref_logp_BT is None
    assert concat([a, a]).ref_logp_BT is not None
