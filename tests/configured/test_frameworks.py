"""Frameworks that are not installed here: a few settings, by the names that their sources give."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.configured.frameworks import clip_of, setup_of
from collapse_lab.configured.setup import Setup
from collapse_lab.configured.suspects import suspects_of

OPENRLHF: dict[str, Any] = {
    "eps_clip": 0.2, "eps_clip_low_high": [0.2, 0.2], "dual_clip": None, "policy_loss_type": "ppo",
    "micro_rollout_batch_size": 8, "vllm_num_engines": 4, "rollout_batch_size": 128,
    "n_samples_per_prompt": 8, "train_batch_size": 128, "max_epochs": 1, "async_train": False,
    "vllm_generate_batch_size": 128, "enable_vllm_is_correction": False, "temperature": 1.0,
    "top_p": 1.0, "entropy_loss_coef": None,
}  # fmt: skip
DOTTED: dict[str, Any] = {
    "actor": {"eps_clip": 0.2, "eps_clip_low_high": (0.2, 0.28), "policy_loss_type": "gspo",
              "entropy_coef": 0.01},
    "rollout": {"batch_size": 128, "n_samples_per_prompt": 8, "temperature": 1.0, "top_p": 1.0},
    "train": {"batch_size": 1024, "max_epochs": 1, "async_enable": True},
    "algo": {"advantage": {"is_correction_enable": True}},
}  # fmt: skip
SLIME: dict[str, Any] = {
    "loss_type": "policy_loss", "advantage_estimator": "grpo", "eps_clip": 0.2,
    "eps_clip_high": 0.28, "eps_clip_c": None, "use_opsm": False, "opsm_delta": 1e-4,
    "num_steps_per_rollout": None, "rollout_batch_size": 16, "n_samples_per_prompt": 8,
    "global_batch_size": 128, "colocate": True, "partial_rollout": False,
    "update_weights_interval": 1, "use_rollout_logprobs": False, "rollout_temperature": 0.8,
    "rollout_top_p": 1.0, "rollout_top_k": -1, "entropy_coef": 0.0,
}  # fmt: skip
NEMO: dict[str, Any] = {
    "grpo.num_prompts_per_step": 32, "grpo.num_generations_per_prompt": 16,
    "grpo.async_grpo.enabled": False, "policy.train_global_batch_size": 512,
    "policy.generation.vllm_cfg.precision": "bfloat16", "loss_fn.ratio_clip_min": 0.2,
    "loss_fn.ratio_clip_max": 0.2, "loss_fn.use_cispo": False,
}  # fmt: skip
ROLL: dict[str, Any] = {
    "pg_clip": 0.2, "use_pg_clip_range": False, "pg_clip_low": 0.2, "pg_clip_high": 0.28,
    "importance_sampling": "token", "use_policy_loss_type": "PPO", "ppo_epochs": 1,
    "async_generation_ratio": 0, "entropy_loss_coef": 0,
    "actor_infer": {"generating_args": {"top_p": 0.99, "top_k": 100, "temperature": 0.99}},
}  # fmt: skip
PRIME: dict[str, Any] = {
    "trainer": {"loss": {"type": "default", "dppo_mask_low": 0.2}},
    "orchestrator": {"max_async_level": 1, "max_off_policy_steps": 8,
                     "sampling": {"repetition_penalty": 1.0, "extra_body": {}}},
}  # fmt: skip


def setup(config: Any) -> Setup:
    found = setup_of(config)
    assert found is not None
    return found


def bounds(config: Any) -> tuple[str, float, float]:
    clip = clip_of(config)
    assert clip is not None
    return clip.level, round(math.exp(clip.low), 9), round(math.exp(clip.high), 9)


def suspects(config: Any) -> tuple[set[str], set[str]]:
    found = suspects_of(config)
    return set(found.ruled_out), set(found.possible)


@pytest.mark.parametrize(
    ("config", "passes", "updates", "old"),
    [
        (OPENRLHF, 1, 8, ""),  # 128 prompts with 8 answers each, 128 answers an update
        (OPENRLHF | {"max_epochs": 2, "train_batch_size": 1024}, 2, 2, ""),
        (OPENRLHF | {"vllm_generate_batch_size": 256}, 1, 8, None),
        (OPENRLHF | {"async_train": True}, 1, 8,
         "rollouts are made while the trainer goes on (async_train)"),
        (DOTTED, 1, 1, "rollouts are made while the trainer goes on (train.async_enable)"),
        (SLIME, 1, 1, ""),
        (SLIME | {"num_steps_per_rollout": 4, "colocate": False}, 1, 4, None),
        (SLIME | {"partial_rollout": True}, 1, 1,
         "rollouts that were not finished are carried over (partial_rollout)"),
        (SLIME | {"update_weights_interval": 2}, 1, 1,
         "the sampler gets new weights every 2 rollouts"),
        (NEMO, 1, 1, ""),
        (NEMO | {"policy.train_global_batch_size": 128, "grpo.async_grpo.enabled": True,
                 "grpo.async_grpo.max_trajectory_age_steps": 2}, 1, 4,
         "rollouts are made while the trainer goes on (async_grpo, up to 2 steps old)"),
        (NEMO | {"async_rl.sampler.name": "windowed"}, 1, 1, None),
        (ROLL, 1, None, ""),
        (ROLL | {"ppo_epochs": 2, "async_generation_ratio": 1}, 2, None,
         "rollouts are made ahead of training (async_generation_ratio 1)"),
        (PRIME, 1, 1, "rollouts are made up to 1 step ahead (max_async_level)"),
        ({"max_off_policy_steps": 0, "oversampling_factor": 1.0}, 1, 1, ""),
        ({"max_off_policy_steps": 8, "oversampling_factor": 1.0}, 1, 1, None),
    ],
)  # fmt: skip
def test_passes_updates_and_the_age_of_rollouts(
    config: Any, passes: float, updates: float | None, old: str | None
) -> None:
    found = setup(config)
    assert (found.passes, found.updates, found.old) == (passes, updates, old)


@pytest.mark.parametrize(
    ("config", "level", "low", "high"),
    [
        (OPENRLHF, "token", 0.8, 1.2),
        (OPENRLHF | {"eps_clip_low_high": None}, "token", 0.8, 1.2),
        (OPENRLHF | {"eps_clip_low_high": [0.1, 0.3]}, "token", 0.9, 1.3),
        (DOTTED, "mean", 0.8, 1.28),
        (SLIME, "token", 0.8, 1.28),
        (SLIME | {"eps_clip_high": None, "advantage_estimator": "gspo"}, "mean", 0.8, 1.2),
        (NEMO | {"loss_fn.ratio_clip_max": 0.28}, "token", 0.8, 1.28),
        (NEMO | {"loss_fn.sequence_level_importance_ratios": 1.0}, "mean", 0.8, 1.2),
        (ROLL, "token", 0.8, 1.2),
        (ROLL | {"use_pg_clip_range": True, "importance_sampling": "seq"}, "mean", 0.8, 1.28),
    ],
)
def test_a_clip_as_its_framework_means_it(config: Any, level: str, low: float, high: float) -> None:
    assert bounds(config) == (level, low, high)
    assert "tolerant_clip" in suspects(config)[0]


def test_a_capped_weight_is_told_wherever_it_is_asked_for() -> None:
    slime = SLIME | {"advantage_estimator": "cispo", "eps_clip": 1.0, "eps_clip_high": 4.0}
    nemo = NEMO | {"loss_fn.use_cispo": True}
    assert bounds(slime) == ("token", 0.0, 5.0) and bounds(nemo) == ("token", 0.8, 1.2)
    assert suspects_of(slime).possible["tolerant_clip"] == (
        "tokens beyond the band keep their gradient (cispo, eps_clip 1, eps_clip_high 4)"
    )
    assert "tolerant_clip" in suspects(nemo)[1]
    masked = clip_of(slime | {"use_opsm": True})
    assert masked is not None and masked.mask == 1e-4


@pytest.mark.parametrize(
    "config",
    [
        SLIME | {"loss_type": "custom_loss"},
        NEMO | {"loss_fn.disable_ppo_ratio": True},
        NEMO | {"loss_fn.force_on_policy_ratio": True},
        ROLL | {"use_policy_loss_type": "PG"},
        {name: value for name, value in ROLL.items() if name != "importance_sampling"},
        PRIME,
        OPENRLHF | {"policy_loss_type": "another"},
    ],
)
def test_a_loss_without_a_ratio_or_of_another_form_states_no_clip(config: Any) -> None:
    assert clip_of(config) is None
    assert all("tolerant_clip" not in part for part in suspects(config))


def test_a_sampler_that_draws_otherwise_may_disagree() -> None:
    assert suspects_of(NEMO | {"policy.generation.vllm_cfg.precision": "fp8"}).possible[
        "mismatch"
    ] == ("the sampler's weights are quantised (fp8)")
    assert suspects_of(ROLL).possible["mismatch"] == (
        "the sampler keeps the top 0.99 of the probability; the sampler keeps the top 100 tokens"
    )
    assert "mismatch" in suspects(OPENRLHF | {"top_p": 0.9})[1]


def test_a_ratio_from_the_sampler_s_own_log_probs_leaves_no_mismatch_to_look_for() -> None:
    assert "mismatch" in suspects(PRIME)[0]
    assert "mismatch" in suspects(DOTTED)[0]
    rollout = SLIME | {"use_rollout_logprobs": True}
    assert "mismatch" in suspects(rollout)[0]
    # but where the sampler's own distribution is not known nothing is said
    trainer = {"loss": {"type": "default"}, "weight_broadcast": {"type": "nccl"},
               "max_concurrent_runs": 1, "max_async_level": 0}  # fmt: skip
    hot = {**DOTTED, "rollout": {**DOTTED["rollout"], "temperature": 0.6}}
    for open_one in (rollout | {"rollout_top_p": 0.9}, trainer, hot):
        assert all("mismatch" not in part for part in suspects(open_one))


def test_entropy_is_paid_for_where_its_weight_is_used() -> None:
    assert suspects_of(DOTTED).possible["entropy_explosion"] == (
        "an entropy bonus has the weight 0.01"
    )
    assert "entropy_collapse" in suspects(SLIME | {"entropy_coef": -0.01})[1]
    assert "entropy_explosion" in suspects(ROLL | {"entropy_loss_coef": 0.01})[1]
    assert "entropy_collapse" not in suspects(ROLL | {"entropy_loss_coef": -0.01})[1]


@given(
    st.sampled_from([OPENRLHF, DOTTED, SLIME, NEMO, ROLL, PRIME]),
    st.dictionaries(
        st.sampled_from(sorted({*OPENRLHF, *SLIME, *NEMO, *ROLL, "actor", "train", "trainer"})),
        st.one_of(
            st.none(), st.booleans(), st.floats(), st.text(max_size=5), st.lists(st.integers()),
            st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
        ),
        max_size=4,
    ),
)  # fmt: skip
def test_settings_of_any_kind_are_read_or_left_out(config: Any, odd: Any) -> None:
    found = suspects_of(config | odd)
    assert not found.ruled_out.keys() & found.possible.keys()
