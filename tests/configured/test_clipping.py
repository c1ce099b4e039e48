"""The clip of a run, from the ways in which configurations state it."""

from __future__ import annotations

import math

import pytest

from collapse_lab.configured.clipping import Clip
from collapse_lab.configured.frameworks import clip_of


def chosen(text: str) -> Clip | None:
    return clip_of({"choices": {"clip": text}})


def test_a_hard_clip_bounds_the_ratio_of_a_token_on_both_sides() -> None:
    clip = chosen("HardClip(low=0.2, high=0.28, dual=None)")
    assert clip is not None
    assert (clip.level, clip.soft, clip.mask, clip.keeps) == ("token", False, None, False)
    assert (clip.low, clip.high) == pytest.approx((math.log(0.8), math.log(1.28)))


def test_a_capped_weight_has_no_lower_bound() -> None:
    clip = chosen("ClippedWeight(low=1.0, high=0.2)")
    assert clip is not None
    assert clip.low == -math.inf
    assert clip.high == pytest.approx(math.log(1.2))


def test_a_clip_per_sequence_holds_for_the_mean_of_a_response() -> None:
    clip = chosen("PerSequence(inner=HardClip(low=0.003, high=0.004, dual=None))")
    assert clip is not None
    assert clip.level == "mean"
    assert clip.high == pytest.approx(math.log(1.004))


def test_a_soft_gate_has_no_bounds_and_a_mask_keeps_its_delta() -> None:
    clip = chosen("SequenceMask(inner=SoftGate(tau_positive=1.0, tau_negative=1.05), delta=0.003)")
    assert clip is not None
    assert (clip.soft, clip.mask, clip.low, clip.high) == (True, 0.003, -math.inf, math.inf)


@pytest.mark.parametrize(
    ("config", "low", "high", "level"),
    [
        ({"epsilon": 0.2}, 0.8, 1.2, "token"),
        ({"epsilon": 0.2, "epsilon_high": 0.28}, 0.8, 1.28, "token"),
        ({"epsilon": 3e-4, "importance_sampling_level": "sequence"}, 0.9997, 1.0003, "mean"),
        ({"actor_rollout_ref": {"actor": {"clip_ratio": 0.2}}}, 0.8, 1.2, "token"),
        (
            {"actor_rollout_ref.actor.clip_ratio_low": 0.1,
             "actor_rollout_ref.actor.clip_ratio_high": 0.3,
             "actor_rollout_ref.actor.clip_ratio": 0.2},
            0.9, 1.3, "token",
        ),
        ({"eps_clip": 0.2}, 0.8, 1.2, "token"),
    ],
)  # fmt: skip
def test_frameworks_state_it_by_names_of_their_own(
    config: dict[str, object], low: float, high: float, level: str
) -> None:
    clip = clip_of(config)
    assert clip is not None
    assert (math.exp(clip.low), math.exp(clip.high)) == pytest.approx((low, high))
    assert clip.level == level


TRL = {"num_generations": 8, "num_iterations": 1, "max_completion_length": 64}
VERL = "actor_rollout_ref.actor."


def test_trl_clips_at_its_default_where_the_arguments_leave_it_out() -> None:
    clip = clip_of({"arguments": TRL | {"loss_type": "dapo"}})
    assert clip is not None and not clip.keeps
    assert (math.exp(clip.low), math.exp(clip.high)) == pytest.approx((0.8, 1.2))
    assert clip_of({"loss_type": "dapo"}) is None


@pytest.mark.parametrize(
    ("config", "low", "high"),
    [
        (TRL | {"loss_type": "cispo", "epsilon": 0.2, "epsilon_high": 5.0}, 0.0, 5.0),
        (
            {VERL + "clip_ratio_low": 0.2, VERL + "clip_ratio_high": 0.28,
             VERL + "policy_loss.loss_mode": "cispo"},
            0.8, 1.28,
        ),
    ],
)  # fmt: skip
def test_a_weight_that_is_capped_keeps_every_gradient(
    config: dict[str, object], low: float, high: float
) -> None:
    clip = clip_of(config)
    assert clip is not None and clip.keeps and not clip.soft
    assert (math.exp(clip.low), math.exp(clip.high)) == pytest.approx((low, high))


def test_a_gate_has_no_bounds_though_their_settings_are_stated_beside_it() -> None:
    token = clip_of(TRL | {"loss_type": "sapo", "epsilon": 0.2})
    whole = clip_of(TRL | {"loss_type": "vespo", "epsilon": 0.2})
    assert token is not None and whole is not None
    assert (token.level, token.soft, token.keeps) == ("token", True, True)
    assert (whole.level, whole.soft, whole.keeps) == ("sequence", True, False)
    assert (token.low, token.high) == (whole.low, whole.high) == (-math.inf, math.inf)


def test_a_form_of_the_loss_that_is_not_known_states_no_clip() -> None:
    assert clip_of({VERL + "clip_ratio": 0.2, VERL + "policy_loss.loss_mode": "kl_cov"}) is None


@pytest.mark.parametrize(
    "config",
    [None, [], {}, {"lr": 1e-6}, {"epsilon": "small"}, {"epsilon": -1}, {"epsilon": math.nan},
     {"choices": {"clip": "__import__('os').system('true')"}}, {"choices": {"clip": "(" * 5000}}],
)  # fmt: skip
def test_what_states_no_clip_draws_no_bounds(config: object) -> None:
    clip = clip_of(config)
    assert clip is None or (clip.low, clip.high) == (-math.inf, math.inf)
