"""Names: tables onto the vocabulary, and what `Names` makes of the keys of one log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.readers.aliases import ALIASES, Names, guess
from collapse_lab.readers.aliases.llm import LLM
from collapse_lab.signals import SIGNALS


@pytest.mark.parametrize("framework", ALIASES)
def test_every_name_is_in_the_vocabulary(framework: str) -> None:
    assert set(ALIASES[framework].values()) <= SIGNALS.keys()


@pytest.mark.parametrize("framework", LLM)
def test_the_core_signals_of_a_framework_have_a_name(framework: str) -> None:
    core = {"reward/mean", "policy/entropy", "optim/lr"}
    assert core <= set(LLM[framework].values())


@pytest.mark.parametrize(
    ("keys", "framework"),
    [
        (["critic/score/mean", "actor/entropy", "actor/ppo_kl"], "verl"),
        (["reward_mean", "actor/pg_loss", "actor/kl_loss", "critic/vf_loss"], "verl"),
        (["loss", "reward", "completions/mean_length", "clip_ratio/region_mean"], "trl"),
        (["train/loss", "train/reward", "train/completions/mean_length", "train/kl"], "trl"),
        (["train/policy_loss", "train/vllm_kl", "train/ppo_clip_ratio"], "openrlhf"),
        (["train/pg_loss", "train/train_rollout_logprob_abs_diff", "rollout/raw_reward"], "slime"),
        (["mismatch_kl/all/mean", "entropy/all/mean", "optim/lr"], "prime-rl"),
        (["actor/ratio_mean", "actor/policykl", "actor_train/grad_norm"], "roll"),
        (["train/gen_kl_error", "train/probs_ratio", "train/approx_entropy"], "nemo-rl"),
        (["env/all/reward/total", "optim/kl_sample_train_v1", "optim/entropy"], "tinker"),
        (["ppo_actor/task_reward/avg", "ppo_actor/update/entropy/avg"], "areal"),
        (["debug/vllm_vs_local_logprob_diff_mean", "objective/verifiable_reward"], "open-instruct"),
        (["reward", "loss", "val/loss", "val/acc", "val/ppl"], "unknown"),
        (["train/loss", "train/reward", "eval/loss", "eval/ppl", "eval/len"], "unknown"),
        (["mean_reward", "entropy", "tool_success_rate", "parse_success_rate"], "unknown"),
        (["eval/loss", "eval/acc", "val/loss"], None),
        (["x", "y", "z"], None),
    ],
)
def test_a_framework_is_known_by_its_keys(keys: list[str], framework: str | None) -> None:
    assert guess(keys) == framework


def test_a_loss_of_an_evaluation_is_no_score_and_a_tool_s_success_not_the_task_s() -> None:
    for keys in (["reward", "loss", "val/loss", "val/ppl"], ["train/loss", "eval/loss"]):
        assert "eval/score" not in Names(None).translate(keys).values()
    names = Names("verl").translate(["tool_success_rate", "eval_success_rate"])
    assert names == {
        "tool_success_rate": "tool_success_rate",
        "eval_success_rate": "eval/success_rate",
    }


def test_roll_s_score_of_an_evaluation_is_its_mean_whatever_else_it_measures() -> None:
    keys = ["val/env/time", "val/score/max", "val/score/mean", "val/FrozenLake/score/mean"]
    renamed = Names("roll").translate(keys)
    assert [key for key in keys if renamed[key] == "eval/score"] == ["val/score/mean"]


def test_a_divergence_whose_sign_is_reversed_is_none() -> None:
    for key in ("ppo_actor/update/approx_kl/avg", "ppo_actor/kl_rewards/avg"):
        assert Names("areal").translate([key]) == {key: key}


def test_trl_s_asynchronous_trainer_means_another_divergence_by_the_same_word() -> None:
    keys = ["loss", "reward", "kl", "ratio", "clip_ratio/region_mean", "sample/staleness_mean"]
    for names in (Names("trl"), Names(None)):
        renamed = names.translate(keys)
        assert (names.framework, renamed["kl"], renamed["sample/staleness_mean"]) == (
            "trl-async",
            "kl/old",
            "async/staleness",
        )
        assert renamed["reward"] == "reward/mean" and not names.unmapped
    assert Names("trl").translate(["reward", "kl"])["kl"] == "kl/ref"


def test_the_same_word_means_what_the_framework_means_by_it() -> None:
    assert Names("trl").translate(["kl"]) == {"kl": "kl/ref"}
    assert Names("verl").translate(["actor/ppo_kl"]) == {"actor/ppo_kl": "kl/old"}
    assert Names("verl").translate(["rollout_corr/kl"]) == {"rollout_corr/kl": "mismatch/k1_kl"}
    assert Names("verl").translate(["actor/pg_clipfrac_lower"]) == {
        "actor/pg_clipfrac_lower": "ratio/dual_clip_frac"
    }


def test_the_most_trusted_of_two_keys_takes_the_name_and_keeps_it() -> None:
    names = Names("verl")
    both = {"actor/entropy_loss": 0.1, "actor/entropy": 0.2}
    assert names.rename(both) == {"actor/entropy_loss": 0.1, "policy/entropy": 0.2}
    assert names.rename({"actor/entropy_loss": 0.3}) == {"actor/entropy_loss": 0.3}


def test_a_series_never_changes_its_source() -> None:
    names = Names("verl")
    assert names.rename({"actor/entropy_loss": 0.1}) == {"policy/entropy": 0.1}
    both = names.rename({"actor/entropy": 0.2, "actor/entropy_loss": 0.3})
    assert both == {"actor/entropy": 0.2, "policy/entropy": 0.3}


def test_a_key_in_no_table_keeps_its_name_and_is_listed() -> None:
    names = Names("trl")
    assert names.rename({"kl": 0.1, "kludge": 0.2}) == {"kl/ref": 0.1, "kludge": 0.2}
    assert list(names.unmapped) == ["kludge"]


def test_a_star_stands_for_the_part_that_varies() -> None:
    renamed = Names("verl").rename({"val-core/openai/gsm8k/acc/mean@1": 0.5})
    assert renamed == {"eval/success_rate": 0.5}


def test_a_canonical_name_in_a_log_is_that_signal() -> None:
    names = Names("trl")
    assert names.rename({"ratio/khat": 0.5}) == {"ratio/khat": 0.5}
    assert not names.unmapped


def test_a_key_that_looks_canonical_does_not_replace_the_framework_s_own() -> None:
    values = {"critic/score/mean": 1.0, "reward/mean": 2.0}
    assert Names("verl").rename(values) == {"reward/mean": 1.0, "verl:reward/mean": 2.0}


def test_the_framework_is_settled_by_the_first_keys_that_tell() -> None:
    names = Names(None)
    names.rename({"foo": 1.0})
    assert names.framework is None
    names.rename({"actor/entropy": 1.0, "critic/score/mean": 1.0})
    assert names.framework == "verl"
    names.rename({"loss": 1.0, "reward": 1.0, "kl": 1.0, "completion_length": 1.0})
    assert names.framework == "verl"


KEYS = st.sampled_from([*LLM["verl"], *LLM["trl"], *SIGNALS, "a", "b", "rewards/x/mean"])


@given(st.lists(st.lists(KEYS, unique=True, max_size=12), max_size=6))
def test_no_value_is_lost_and_no_source_changes(steps: list[list[str]]) -> None:
    names = Names("verl")
    for keys in steps:
        before = dict(names.sources)
        renamed = names.rename({key: float(index) for index, key in enumerate(keys)})
        assert sorted(renamed.values()) == [float(index) for index in range(len(keys))]
        assert before.items() <= names.sources.items()
