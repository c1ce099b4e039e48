"""verl's Hydra configuration, as its entry point resolves it.

Source: verl `trainer/config/`, `experimental/`.
"""

from __future__ import annotations

from collapse_lab.configured.clipping import named_clip
from collapse_lab.configured.settings import Settings
from collapse_lab.configured.setup import Setup, bonus, cut_off, quotient

ACTOR, ROLLOUT = "actor_rollout_ref.actor.", "actor_rollout_ref.rollout."


def is_verl(settings: Settings) -> bool:
    return settings.states(f"{ACTOR}ppo_mini_batch_size")


def verl(settings: Settings) -> Setup:
    actor, rollout = settings.below(ACTOR), settings.below(ROLLOUT)
    passes, batch = actor.number("ppo_epochs"), settings.number("data.train_batch_size")
    mini = actor.number("ppo_mini_batch_size")
    raised, lowered = bonus(actor.number("entropy_coeff"))
    quantised = rollout.text("quantization")
    return Setup(
        clip=named_clip(settings.leaves),
        passes=passes,
        updates=quotient(batch, mini, passes),
        old=_asynchronous(settings),
        from_sampler=settings.switch("algorithm.rollout_correction.bypass_mode") or False,
        distorted=(
            *([f"the sampler's weights are quantised ({quantised})"] if quantised else []),
            *cut_off(rollout),
        ),
        raised=raised,
        lowered=lowered,
    )


def _asynchronous(settings: Settings) -> str:
    """verl's three ways of sampling while it trains."""
    mode = settings.text("trainer.v1.trainer_mode") if settings.switch("trainer.use_v1") else None
    if mode not in (None, "sync"):
        return f"the trainer is asynchronous ({mode})"
    if settings.states("async_training.staleness_threshold"):
        return "the trainer is fully asynchronous"
    if settings.states("rollout.nnodes"):
        return "rollouts are made one step ahead"
    return ""
