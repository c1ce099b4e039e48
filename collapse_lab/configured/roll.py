"""ROLL's pipeline configuration.

How many updates a batch makes depends on how its workers are spread, and what the ratio starts
from on that number: both are left open. The form of the loss is that of the RLVR pipeline; the
agentic ones name it otherwise.
Source: ROLL `configs/base_config.py`, `pipeline/rlvr/rlvr_config.py`,
`pipeline/rlvr/actor_worker.py`.
"""

from __future__ import annotations

from collapse_lab.configured.clipping import Clip, Level, ratio_clip
from collapse_lab.configured.settings import Settings
from collapse_lab.configured.setup import Setup, bonus, cut_off

LEVELS: dict[str, Level] = {"token": "token", "seq": "mean"}


def is_roll(settings: Settings) -> bool:
    return settings.states("pg_clip", "ppo_epochs", "async_generation_ratio")


def roll(settings: Settings) -> Setup:
    raised, _ = bonus(settings.number("entropy_loss_coef"))  # one below zero is not used
    return Setup(
        clip=_clip(settings),
        passes=settings.number("ppo_epochs"),
        old=_old(settings.number("async_generation_ratio")),
        distorted=tuple(cut_off(settings.below("actor_infer.generating_args."))),
        raised=raised,
    )


def _old(ahead: float | None) -> str | None:
    if ahead:
        return f"rollouts are made ahead of training (async_generation_ratio {ahead:g})"
    return None if ahead is None else ""


def _clip(settings: Settings) -> Clip | None:
    """`pg_clip` on both sides, unless `use_pg_clip_range` asks for two bounds."""
    level = LEVELS.get(settings.text("importance_sampling") or "")
    if level is None or settings.text("use_policy_loss_type") not in (None, "PPO"):
        return None
    names = ("pg_clip_low", "pg_clip_high")
    low, high = names if settings.switch("use_pg_clip_range") else ("pg_clip", "pg_clip")
    return ratio_clip(level, (low, settings.number(low)), (high, settings.number(high)))
