"""TRL's arguments of `GRPOConfig`, and of its asynchronous trainer.

They are often kept as they were given, so that the defaults that matter are stated here.
Source: TRL `trainer/grpo_config.py`, `trainer/grpo_trainer.py`, `experimental/async_grpo/`.
"""

from __future__ import annotations

from collapse_lab.configured.clipping import TRL_ALONE, named_clip
from collapse_lab.configured.settings import Settings
from collapse_lab.configured.setup import Setup, bonus, cut_off, tempered

ARGUMENTS = "arguments."
"""Before TRL's names where something else is recorded beside its arguments."""
TRL_DEFAULTS = {"num_iterations": 1, "gradient_accumulation_steps": 1, "temperature": 1.0}
ENGINES = ("use_vllm", "use_transformers_continuous_batching", "use_transformers_paged")


def is_trl(settings: Settings) -> bool:
    return settings.states(*TRL_ALONE) or settings.below(ARGUMENTS).states(*TRL_ALONE)


def trl(settings: Settings) -> Setup:
    given = settings if settings.states(*TRL_ALONE) else settings.below(ARGUMENTS)
    here = Settings({**TRL_DEFAULTS, **given.leaves})
    passes = here.number("num_iterations")
    together = here.number("gradient_accumulation_steps")
    slices = here.number("steps_per_generation")
    if slices is None and here.number("generation_batch_size") is None:
        slices = together
    raised, lowered = bonus(here.number("entropy_coef"))
    if here.switch("use_adaptive_entropy"):
        target = here.number("entropy_target")
        raised = "an entropy bonus grows" + ("" if target is None else f" up to {target:g} nats")
    learned_at = here.number("temperature")
    drawn = here.below("generation_kwargs.")
    weights = [weight for weight in here.numbers("reward_weights") if weight]
    return Setup(
        clip=named_clip(here.leaves),
        passes=passes,
        updates=passes * slices / together if passes and slices and together else None,
        old="",
        one_engine=not any(here.switch(name) for name in ENGINES),
        distorted=(
            *tempered(drawn.number("temperature"), learned_at),
            *cut_off(Settings({**here.leaves, **drawn.leaves})),
        ),
        raised=raised,
        lowered=lowered,
        weighed=tuple(weights),
    )


def is_async_trl(settings: Settings) -> bool:
    return settings.states("num_generations", "max_staleness", "weight_sync_steps")


def async_trl(settings: Settings) -> Setup:
    return Setup(
        clip=named_clip(settings.leaves),
        old="rollouts are made while the trainer goes on (max_staleness)",
        from_sampler=True,
        distorted=tuple(cut_off(settings)),
    )
