"""Entropy, credit, mismatch and texts, each by hand or against numpy and scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from step_examples import random_tensors

from collapse_lab.probes import PROBES, StepTensors, measure
from collapse_lab.probes.credit import filtering
from collapse_lab.probes.reduction import read
from collapse_lab.signals import SIGNALS


def values(**fields: object) -> dict[str, float]:
    return measure(StepTensors(**fields))[0]  # pyright: ignore[reportArgumentType]


def rows(count: int, width: int = 1) -> torch.Tensor:
    return torch.ones(count, width, dtype=torch.bool)


def test_every_value_is_in_the_vocabulary_and_every_probe_has_one():
    tensors = random_tensors(0, clip=lambda log_ratio, adv, mask: log_ratio.exp() * adv)
    got, histograms = measure(tensors)
    assert set(got) <= SIGNALS.keys()
    assert set(histograms) == {"ratio/log", "ratio/sequence_log", "policy/token_entropy"}
    assert all(probe(tensors) for probe in PROBES.values())


def test_a_trainer_that_shows_four_tensors_gets_what_follows_from_them():
    full = random_tensors(0)
    got = measure(
        StepTensors(
            mask=full.mask, logp=full.logp, old_logp=full.old_logp, advantage=full.advantage
        )
    )[0]
    assert {name.split("/")[0] for name in got} == {"ratio", "kl", "policy", "credit", "length"}


def test_entropy_is_over_response_tokens_with_its_sure_share_and_low_quantile():
    entropy = torch.tensor([[0.01, 0.02, 1.0], [2.0, 99.0, 99.0]])
    got = values(mask=torch.tensor([[True, True, True], [True, False, False]]), entropy=entropy)
    assert got["policy/entropy"] == pytest.approx(3.03 / 4)
    assert got["policy/sure_frac"] == 0.5
    assert 0.005 < got["policy/token_entropy_q10"] < 0.02


def test_entropy_by_turn_leaves_out_turns_that_were_not_played():
    got = values(
        mask=rows(4), entropy=torch.tensor([[1.0], [2.0], [3.0], [5.0]]), turn=torch.arange(4)
    )
    by_turn = {name: value for name, value in got.items() if "entropy_turn" in name}
    assert by_turn == {
        "policy/entropy_turn_0": 1.0,
        "policy/entropy_turn_1": 2.0,
        "policy/entropy_turn_2": 4.0,
    }


def test_rewards_count_each_trajectory_once():
    got = values(
        mask=rows(5),
        token_ids=torch.zeros(5, 1, dtype=torch.int64),
        reward=torch.tensor([1.0, 1.0, 1.0, 0.0, 3.0]),
        success=torch.tensor([True, True, True, False, False]),
        trajectory=torch.tensor([7, 7, 7, 8, 9]),
        group=torch.tensor([0, 0, 0, 0, 1]),
    )
    assert got["reward/mean"] == pytest.approx(4 / 3)
    assert got["reward/std"] == pytest.approx(np.std([1, 0, 3], ddof=1))
    assert got["reward/success_rate"] == pytest.approx(1 / 3)
    assert got["policy/turns_mean"] == pytest.approx(5 / 3)
    assert got["reward/group_std"] == pytest.approx(np.std([1, 0], ddof=1))


def test_groups_without_spread_are_counted_among_groups_that_could_have_one():
    got = values(
        mask=rows(7),
        reward=torch.tensor([1.0, 1.0, 0.1, 0.3, 5.0, 0.0, 0.0]),
        group=torch.tensor([0, 0, 1, 1, 2, 3, 3]),
    )
    assert got["reward/zero_std_frac"] == pytest.approx(2 / 3)


def test_an_anchor_is_single_when_no_turn_of_its_group_shares_it():
    got = values(mask=rows(4), group=torch.tensor([0, 0, 0, 1]), anchor=torch.tensor([5, 5, 6, 5]))
    assert got["credit/singleton_anchor_frac"] == 0.5


def test_advantages_are_weighed_by_tokens():
    got = values(
        mask=torch.tensor([[True, True, True], [True, False, False]]),
        advantage=torch.tensor([1.0, -1.0]),
    )
    assert got["credit/advantage_mean"] == 0.5
    assert got["credit/advantage_std"] == pytest.approx(np.std([1, 1, 1, -1], ddof=1))
    assert (got["credit/advantage_max"], got["credit/advantage_min"]) == (1, -1)


def test_filtering_tells_what_the_filter_passed_and_what_the_batch_was_filled_with():
    got, _ = read(filtering(tries=3, sampled_groups=24, kept_groups=6, filler_groups=2))
    assert got == {
        "credit/filter_pass_frac": 0.25,
        "credit/filter_tries": 3,
        "credit/filler_frac": 0.25,
    }
    got, _ = read(filtering(tries=1, sampled_groups=8, kept_groups=8, filler_groups=0))
    assert got["credit/filler_frac"] == 0


def test_mismatch_is_that_of_numpy_and_scipy():
    tensors = random_tensors(3)
    assert tensors.old_logp is not None
    assert tensors.sampler_logp is not None
    trainer = tensors.old_logp[tensors.mask].numpy()
    sampler = tensors.sampler_logp[tensors.mask].numpy()
    r, gap = np.exp(trainer - sampler), np.abs(np.exp(trainer) - np.exp(sampler))
    wanted = {
        "is_mean": r.mean(),
        "is_max": r.max(),
        "is_min": r.min(),
        "is_std": r.std(ddof=1),
        "ess": r.sum() ** 2 / (len(r) * (r**2).sum()),
        "k1_kl": (sampler - trainer).mean(),
        "k3_kl": (r - 1 - np.log(r)).mean(),
        "chi2": (r**2).mean() - 1,
        "absdiff_mean": gap.mean(),
        "absdiff_max": gap.max(),
        "absdiff_std": gap.std(ddof=1),
        "pearson": stats.pearsonr(np.exp(trainer), np.exp(sampler))[0],
        "extreme_frac": 0.0,
    }
    got = measure(tensors)[0]
    assert {name: got[f"mismatch/{name}"] for name in wanted} == pytest.approx(wanted, rel=1e-9)


def test_a_factor_of_two_either_way_is_extreme():
    old = torch.tensor([[-1.0, -1.0, -1.0, -1.0]]).double()
    shift = torch.tensor([[0.8, -0.8, 0.6, 0.0]])
    assert (
        values(mask=rows(1, 4), old_logp=old, sampler_logp=old + shift)["mismatch/extreme_frac"]
        == 0.5
    )


def test_lengths_and_truncation():
    got = values(
        mask=torch.tensor([[True, True, True], [True, False, False]]),
        token_ids=torch.zeros(2, 3, dtype=torch.int64),
        truncated=torch.tensor([True, False]),
        prompt_length=torch.tensor([4, 8]),
    )
    assert (got["length/mean"], got["length/max"], got["length/min"]) == (2, 3, 1)
    assert (got["length/trunc_frac"], got["length/prompt_mean"]) == (0.5, 6)


def test_a_loop_repeats_itself_and_a_sentence_does_not():
    loop = [1, 2] * 5
    sentence = list(range(10))
    short = [9, 9, 9] + [0] * 7
    mask = torch.ones(3, 10, dtype=torch.bool)
    mask[2, 3:] = False
    got = values(mask=mask, token_ids=torch.tensor([loop, sentence, short]))
    # 7 four-grams each, 2 of them different in the loop; the short one has none
    assert got["policy/repeated_gram_frac"] == pytest.approx(5 / 14)
    assert got["policy/repetition_frac"] == 0.5


def test_padding_is_no_repetition():
    mask = torch.zeros(1, 20, dtype=torch.bool)
    mask[0, :5] = True
    ids = torch.cat([torch.arange(5), torch.zeros(15, dtype=torch.int64)])[None]
    assert values(mask=mask, token_ids=ids)["policy/repeated_gram_frac"] == 0


def test_a_prompt_and_what_a_tool_said_are_no_part_of_the_response():
    prompt, tool = [7] * 8, [6] * 8
    ids = torch.tensor([[*prompt, 1, 2, 3, *tool, 4, 1, 2, 3, 4]])
    mask = torch.isin(ids, torch.tensor([6, 7]), invert=True)
    # 1 2 3 4 1 2 3 4: the last of its five four-grams was there before
    assert values(mask=mask, token_ids=ids)["policy/repeated_gram_frac"] == pytest.approx(1 / 5)


def test_an_agent_that_walks_in_circles_has_few_distinct_actions():
    got = values(
        mask=rows(6),
        trajectory=torch.tensor([0, 0, 0, 0, 1, 1]),
        action=torch.tensor([3, 4, 3, 4, 3, 5]),
    )
    assert got["policy/distinct_action_frac"] == pytest.approx(4 / 6)


def test_validity_tells_the_first_thing_that_failed():
    got = values(
        mask=rows(4),
        format_valid=torch.tensor([True, True, False, True]),
        action_valid=torch.tensor([True, False, False, True]),
    )
    assert got["policy/valid_frac"] == 0.5
    assert got["policy/format_invalid_frac"] == 0.25
    assert got["policy/action_invalid_frac"] == 0.25


def test_tensors_without_a_token_say_nothing():
    assert values(mask=torch.zeros(2, 3, dtype=torch.bool)) == {}
