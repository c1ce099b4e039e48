"""NeMo-RL's master configuration.

Both sides work at the same temperature. Cutting tokens off (top-p, top-k) is followed by the
trainer in newer versions and refused by older ones, so nothing is said of it.
Source: NeMo-RL `algorithms/loss/loss_functions.py` (`ClippedPGLossConfig`), `algorithms/grpo.py`,
`models/policy/`.
"""

from __future__ import annotations

from collapse_lab.configured.clipping import CAPPED, Clip, ratio_clip
from collapse_lab.configured.settings import Settings
from collapse_lab.configured.setup import Setup, quotient

LOSS, ASYNCHRONOUS = "loss_fn.", "grpo.async_grpo."
PRECISION = "policy.generation.vllm_cfg.precision"


def is_nemo_rl(settings: Settings) -> bool:
    return settings.states("grpo.num_prompts_per_step", "policy.train_global_batch_size")


def nemo_rl(settings: Settings) -> Setup:
    prompts = settings.number("grpo.num_prompts_per_step")
    answers = settings.number("grpo.num_generations_per_prompt")
    samples = prompts * answers if prompts and answers else None
    precision = settings.text(PRECISION)
    return Setup(
        clip=_clip(settings.below(LOSS)),
        passes=1.0,
        updates=quotient(samples, settings.number("policy.train_global_batch_size"), 1.0),
        old=_old(settings),
        distorted=("the sampler's weights are quantised (fp8)",) if precision == "fp8" else (),
    )


def _clip(loss: Settings) -> Clip | None:
    """None where the loss takes no ratio, or holds it at one."""
    if loss.switch("disable_ppo_ratio") or loss.switch("force_on_policy_ratio"):
        return None
    return ratio_clip(
        "mean" if loss.switch("sequence_level_importance_ratios") else "token",
        ("ratio_clip_min", loss.number("ratio_clip_min")),
        ("ratio_clip_max", loss.number("ratio_clip_max")),
        form=CAPPED if loss.switch("use_cispo") else "",
    )


def _old(settings: Settings) -> str | None:
    """The newer `async_rl` states its staleness by a sampler of its own: left open."""
    asynchronous = settings.below(ASYNCHRONOUS)
    enabled, age = asynchronous.switch("enabled"), asynchronous.number("max_trajectory_age_steps")
    if enabled:
        known = "" if age is None else f", up to {age:g} steps old"
        return f"rollouts are made while the trainer goes on (async_grpo{known})"
    return "" if enabled is False and not settings.below("async_rl.").leaves else None
