from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from rollout_examples import random_rollouts, rollouts_of
from textbook import TEXTBOOK, loss_gradient
from torch import Tensor

from collapse_lab.trainers.advantages import GroupCredit
from collapse_lab.trainers.algorithms import ALGORITHMS, algorithm, policy_loss
from collapse_lab.trainers.clips import HardClip, PerSequence, SequenceMask, SoftGate
from collapse_lab.trainers.rollouts import Rollouts
from collapse_lab.trainers.terms import EntropyBonus, FormatPenalty, ProxyReward, ReferenceKL
from collapse_lab.trainers.weighting import per_token


@pytest.fixture(autouse=True)
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def moved(rollouts: Rollouts, seed: int, scale: float) -> Tensor:
    """Log-probs of a policy some way from the old one."""
    noise = torch.randn(rollouts.mask_BT.shape, generator=torch.Generator().manual_seed(seed))
    return rollouts.old_logp_BT + scale * noise


def number_of_rows(rollouts: Rollouts) -> Rollouts:
    """The same rollouts with each row's number where the prompt would be."""
    return replace(rollouts, prompt_ids_BP=torch.arange(len(rollouts))[:, None])


def gradient(name: str, rollouts: Rollouts, logp_BT: Tensor) -> Tensor:
    """d loss / d logp of the whole batch as one mini-batch."""
    rows = ALGORITHMS[name]
    leaf = logp_BT.clone().requires_grad_()
    kept = rows.filter(number_of_rows(rollouts))
    index = kept.prompt_ids_BP[:, 0]
    loss = policy_loss(rows, leaf[index], kept, rows.advantage(kept), rows.weigh(kept.mask_BT))
    return torch.autograd.grad(loss, leaf)[0]


def test_the_textbook_has_every_row_of_the_table():
    assert TEXTBOOK.keys() == ALGORITHMS.keys()


@pytest.mark.parametrize("scale", [0.005, 0.5])
@pytest.mark.parametrize("name", ALGORITHMS)
def test_gradients_agree_with_the_textbook(name, scale):
    for seed in range(3):
        rollouts = random_rollouts(seed)
        logp_BT = moved(rollouts, seed, scale)
        wanted = torch.tensor(loss_gradient(name, rollouts, logp_BT.tolist()))
        got = gradient(name, rollouts, logp_BT)
        assert torch.allclose(got, wanted, rtol=1e-6, atol=1e-9)
        assert got.abs().max() > 0


@pytest.mark.parametrize("name", ALGORITHMS)
def test_micro_batches_add_up_to_the_mini_batch(name):
    rows = ALGORITHMS[name]
    rollouts = rows.filter(random_rollouts(1))
    logp_BT = moved(rollouts, 1, 0.3)
    adv_B, weight_BT = rows.advantage(rollouts), rows.weigh(rollouts.mask_BT)

    def loss_gradient_of(parts: list[Tensor]) -> Tensor:
        leaf = logp_BT.clone().requires_grad_()
        for part in parts:
            loss = policy_loss(
                rows, leaf[part], rollouts.select(part), adv_B[part], weight_BT[part]
            )
            loss.backward()
        assert leaf.grad is not None
        return leaf.grad

    whole = loss_gradient_of([torch.arange(len(rollouts))])
    parts = loss_gradient_of(list(rollouts.batches(3, torch.Generator().manual_seed(0))))
    assert torch.equal(whole, parts)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_what_stands_in_the_padding_does_not_matter(name):
    rollouts = random_rollouts(2)
    logp_BT = moved(rollouts, 2, 0.3)
    clean = gradient(name, rollouts, logp_BT)
    poison = torch.where(rollouts.mask_BT, logp_BT, torch.inf)
    old = torch.where(rollouts.mask_BT, rollouts.old_logp_BT, torch.nan)
    assert torch.equal(gradient(name, replace(rollouts, old_logp_BT=old), poison), clean)


def test_sampo_is_the_clip_and_weight_of_gspo_with_the_credit_of_gigpo_and_the_filter_of_dapo():
    sampo, gspo = ALGORITHMS["sampo"], ALGORITHMS["gspo"]
    assert (sampo.clip, sampo.weigh) == (gspo.clip, gspo.weigh)
    assert sampo.advantage == ALGORITHMS["gigpo"].advantage
    assert sampo.filter == ALGORITHMS["dapo"].filter


def test_every_row_differs_from_every_other():
    assert len({str(row) for row in ALGORITHMS.values()}) == len(ALGORITHMS)


def test_rescues_differ_from_what_they_rescue_by_the_mask_alone():
    for name in ("grpo", "cispo", "sapo"):
        row = ALGORITHMS[name]
        assert ALGORITHMS[f"{name}_sm"] == replace(row, clip=SequenceMask(row.clip))


def test_sequence_clipping_weighs_rows_alike_or_by_their_length_as_asked():
    rollouts = rollouts_of([1.0, 0.0], lengths=[4, 1])
    for weigh, share in (("per_sequence", 0.5), ("per_token", 0.8)):
        row = algorithm("gspo", weigh=weigh)
        leaf = rollouts.old_logp_BT.clone().requires_grad_()
        adv_B = torch.ones(2)
        policy_loss(row, leaf, rollouts, adv_B, row.weigh(rollouts.mask_BT)).backward()
        assert leaf.grad is not None
        assert -leaf.grad[0].sum().item() == pytest.approx(share)


def test_any_column_can_be_replaced_by_a_part_a_name_or_a_call_in_text():
    assert algorithm("grpo", clip=SoftGate()) == ALGORITHMS["sapo"]
    assert algorithm("grpo", clip="soft_gate") == ALGORITHMS["sapo"]
    assert (
        algorithm("grpo", advantage="group_credit(scaled=False)", weigh="per_budget")
        == (ALGORITHMS["dr_grpo"])
    )
    nested = algorithm("sampo", clip="sequence_mask(per_sequence(hard_clip(0.01, high=0.02)))")
    assert nested.clip == SequenceMask(PerSequence(HardClip(0.01, 0.02)))


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_recipe_in_text_gives_the_algorithm_back(name):
    assert algorithm("grpo", **ALGORITHMS[name].recipe()) == ALGORITHMS[name]


def test_names_that_do_not_exist_are_answered_with_those_that_do():
    with pytest.raises(ValueError, match="no algorithm 'ppo'; there are grpo"):
        algorithm("ppo")
    with pytest.raises(ValueError, match="no 'loss'; it has filter, advantage, clip, weigh"):
        algorithm("grpo", loss="x")
    with pytest.raises(ValueError, match="possible are hard_clip"):
        algorithm("grpo", clip="per_token")
    with pytest.raises(ValueError, match="nothing left to pool"):
        algorithm("grpo", clip="per_sequence(sequence_gate)")
    with pytest.raises(ValueError, match="clip="):
        algorithm("grpo", clip="hard_clip(")


def test_the_format_penalty_counts_the_kind_of_invalidity_asked_for():
    rollouts = rollouts_of(
        [1.0, 1.0, 1.0],
        format_valid_B=torch.tensor([True, False, True]),
        action_valid_B=torch.tensor([True, False, False]),
    )
    assert FormatPenalty()(rollouts).score_B.tolist() == [1.0, 0.9, 1.0]
    assert FormatPenalty(0.5, of="action")(rollouts).score_B.tolist() == [1.0, 0.5, 0.5]


def test_a_proxy_pays_an_episode_for_filling_its_answers_or_its_turns_and_solves_nothing():
    rollouts = rollouts_of(
        [10.0, 10.0, 0.0],
        trajectory=[7, 7, 9],
        lengths=[4, 2, 3],
        action_valid_B=torch.tensor([True, False, True]),
    )
    paid = ProxyReward(2.0, "length", response_limit=6, turn_limit=10)(rollouts)
    assert paid.reward_B.tolist() == pytest.approx([11.0, 11.0, 1.0])
    assert paid.success_B.tolist() == [True, True, False]
    brief = ProxyReward(2.0, "brevity", response_limit=6, turn_limit=10)(rollouts)
    assert brief.reward_B.tolist() == pytest.approx([11.0, 11.0, 1.0])
    stalled = ProxyReward(2.0, "turns", response_limit=6, turn_limit=10)(rollouts)
    assert stalled.reward_B.tolist() == pytest.approx([10.2, 10.2, 0.2])
    assert stalled.checked().score_B.tolist() == stalled.reward_B.tolist()


def test_the_reference_kl_is_k3_of_policy_and_reference_and_clamped():
    logp_BT = torch.tensor([[-1.0, -1.0, 0.0]])
    ref = torch.tensor([[-1.5, -1.0, 30.0]])
    rollouts = rollouts_of([1.0], lengths=[3], ref_logp_BT=ref)
    weight_BT = per_token(rollouts.mask_BT)
    k3 = torch.exp(torch.tensor(-0.5)) - 1 + 0.5
    got = ReferenceKL(0.3)(logp_BT, rollouts, weight_BT)
    assert got.item() == pytest.approx(0.3 * (k3 + 0 + 10).item() / 3)


def test_the_gradient_of_the_reference_kl_pulls_towards_the_reference():
    logp_BT = torch.tensor([[-1.0, -2.0]], requires_grad=True)
    rollouts = rollouts_of([1.0], lengths=[2], ref_logp_BT=torch.tensor([[-2.0, -1.0]]))
    ReferenceKL(1.0)(logp_BT, rollouts, per_token(rollouts.mask_BT)).backward()
    assert logp_BT.grad is not None
    # d k3 / d logp = 1 - ref / policy
    wanted = (1 - (rollouts.ref_logp_BT - logp_BT.detach()).exp()) / 2  # pyright: ignore
    assert torch.allclose(logp_BT.grad, wanted)


def test_a_reference_kl_without_a_reference_says_what_is_missing():
    with pytest.raises(ValueError, match="ref_logp_BT"):
        ReferenceKL()(torch.zeros(1, 1), rollouts_of([1.0]), torch.ones(1, 1))


def test_the_entropy_bonus_lowers_the_loss_by_the_weighted_entropy():
    mask_BT = torch.tensor([[True, True, False]])
    entropy_BT = torch.tensor([[1.0, 3.0, torch.nan]])
    assert EntropyBonus(0.1)(entropy_BT, mask_BT, per_token(mask_BT)).item() == pytest.approx(-0.2)


def test_a_new_combination_needs_no_new_code():
    row = algorithm("sampo", advantage=GroupCredit(over="turns"), clip="per_sequence(soft_gate)")
    rollouts = row.filter(random_rollouts(3))
    adv_B, weight_BT = row.advantage(rollouts), row.weigh(rollouts.mask_BT)
    assert torch.isfinite(policy_loss(row, moved(rollouts, 3, 0.1), rollouts, adv_B, weight_BT))
