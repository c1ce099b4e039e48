"""The configurations of TRL, of verl and of our own recipes, read into the same few facts.

Names are exact, and each framework is asked only for what it is known to mean by them. A name that
is absent leaves its fact open, but for TRL's: arguments are often kept as they were given, so that
the defaults that matter are stated here.
Source: TRL `trainer/grpo_config.py`, `trainer/grpo_trainer.py`, `experimental/async_grpo/`; verl
`trainer/config/` and `experimental/`; `trainers/recipes.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from collapse_lab.configured.clipping import CHOSEN, TRL_ALONE, Clip, clip_of
from collapse_lab.configured.settings import Settings


@dataclass(frozen=True, slots=True)
class Setup:
    """What is None, or "", is not stated.

    `passes` are made over every batch of rollouts, by `updates` steps of the optimizer. `old` says
    why the sampler's weights are older than the trainer's, "" where they are not; `from_sampler`
    that the ratio starts from the sampler's own log-probs; `one_engine` that trainer and sampler
    are the same code with the same weights. `distorted` are reasons why rollouts are not drawn
    from the distribution that the trainer takes them for. `raised` and `lowered` are what pays for
    more entropy and for less, `paid` what an episode earns besides its task, and `weighed` the
    weights of several rewards.
    """

    clip: Clip | None = None
    passes: float | None = None
    updates: float | None = None
    old: str | None = None
    from_sampler: bool = False
    one_engine: bool = False
    distorted: tuple[str, ...] = ()
    raised: str = ""
    lowered: str = ""
    paid: str = ""
    weighed: tuple[float, ...] = ()


def setup_of(config: Any) -> Setup | None:
    """None for a configuration of no framework that is known here."""
    settings = Settings.of(config)
    for is_of, read in FRAMEWORKS:
        if is_of(settings):
            return read(settings)
    return None


ARGUMENTS = "arguments."
"""Before TRL's names where something else is recorded beside its arguments."""
TRL_DEFAULTS = {"num_iterations": 1, "gradient_accumulation_steps": 1, "temperature": 1.0}
ENGINES = ("use_vllm", "use_transformers_continuous_batching", "use_transformers_paged")


def _is_trl(settings: Settings) -> bool:
    return settings.states(*TRL_ALONE) or settings.below(ARGUMENTS).states(*TRL_ALONE)


def _trl(settings: Settings) -> Setup:
    given = settings if settings.states(*TRL_ALONE) else settings.below(ARGUMENTS)
    here = Settings({**TRL_DEFAULTS, **given.leaves})
    passes = here.number("num_iterations")
    together = here.number("gradient_accumulation_steps")
    slices = here.number("steps_per_generation")
    if slices is None and here.number("generation_batch_size") is None:
        slices = together
    raised, lowered = _bonus(here.number("entropy_coef"))
    if here.switch("use_adaptive_entropy"):
        target = here.number("entropy_target")
        raised = "an entropy bonus grows" + ("" if target is None else f" up to {target:g} nats")
    learned_at = here.number("temperature")
    drawn = here.below("generation_kwargs.")
    weights = [weight for weight in here.numbers("reward_weights") if weight]
    return Setup(
        clip=clip_of(here.leaves),
        passes=passes,
        updates=passes * slices / together if passes and slices and together else None,
        old="",
        one_engine=not any(here.switch(name) for name in ENGINES),
        distorted=(
            *_tempered(drawn.number("temperature"), learned_at),
            *_cut_off(Settings({**here.leaves, **drawn.leaves})),
        ),
        raised=raised,
        lowered=lowered,
        weighed=tuple(weights),
    )


def _is_async_trl(settings: Settings) -> bool:
    return settings.states("num_generations", "max_staleness", "weight_sync_steps")


def _async_trl(settings: Settings) -> Setup:
    return Setup(
        clip=clip_of(settings.leaves),
        old="rollouts are made while the trainer goes on (max_staleness)",
        from_sampler=True,
        distorted=tuple(_cut_off(settings)),
    )


ACTOR, ROLLOUT = "actor_rollout_ref.actor.", "actor_rollout_ref.rollout."


def _is_verl(settings: Settings) -> bool:
    return settings.states(f"{ACTOR}ppo_mini_batch_size")


def _verl(settings: Settings) -> Setup:
    actor, rollout = settings.below(ACTOR), settings.below(ROLLOUT)
    passes, batch = actor.number("ppo_epochs"), settings.number("data.train_batch_size")
    mini = actor.number("ppo_mini_batch_size")
    raised, lowered = _bonus(actor.number("entropy_coeff"))
    quantised = rollout.text("quantization")
    return Setup(
        clip=clip_of(settings.leaves),
        passes=passes,
        updates=passes * max(1.0, batch / mini) if passes and batch and mini else None,
        old=_asynchronous(settings),
        from_sampler=settings.switch("algorithm.rollout_correction.bypass_mode") or False,
        distorted=(
            *([f"the sampler's weights are quantised ({quantised})"] if quantised else []),
            *_cut_off(rollout),
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


def _is_ours(settings: Settings) -> bool:
    return settings.states(CHOSEN, "mini_batches")


PROXIES = {"length": "longer answers", "brevity": "shorter answers", "turns": "more turns"}


def _recipe(settings: Settings) -> Setup:
    passes, mini = settings.number("epochs"), settings.number("mini_batches")
    lag, bits = settings.number("sampler_lag"), settings.number("sampler_bits")
    temperature, proxy = settings.number("temperature"), settings.number("proxy")
    raised, lowered = _bonus(settings.number("entropy"))
    if _below_one(temperature):
        lowered = f"rollouts are drawn at temperature {temperature:g} and learned at 1"
    return Setup(
        clip=clip_of(settings.leaves),
        passes=passes,
        updates=passes * mini if passes and mini else None,
        old=f"the sampler's weights are {lag:g} steps old" if lag else None if lag is None else "",
        from_sampler=settings.text("old_log_probs") == "sampler",
        one_engine=settings.text("sampler") == "cached" and not lag and not bits,
        distorted=(
            *([f"the sampler's weights are rounded to {bits:g} bits"] if bits else []),
            *_tempered(temperature, 1.0),
        ),
        raised=raised,
        lowered=lowered,
        paid=PROXIES.get(settings.text("proxied") or "", "") if proxy else "",
    )


def _bonus(weight: float | None) -> tuple[str, str]:
    """What pays for entropy, and against it."""
    if not weight:
        return "", ""
    if weight > 0:
        return f"an entropy bonus has the weight {weight:g}", ""
    return "", f"the entropy bonus is a penalty, with the weight {weight:g}"


def _tempered(drawn_at: float | None, learned_at: float | None) -> list[str]:
    if drawn_at is None or learned_at is None or drawn_at == learned_at:
        return []
    return [f"rollouts are drawn at temperature {drawn_at:g} and learned at {learned_at:g}"]


def _cut_off(sampling: Settings) -> list[str]:
    """What keeps the sampler from drawing some tokens that the trainer gives a probability."""
    top_p, top_k = sampling.number("top_p"), sampling.number("top_k")
    penalty, min_p = sampling.number("repetition_penalty"), sampling.number("min_p")
    reasons = (
        [f"the sampler keeps the top {top_p:g} of the probability"] if _below_one(top_p) else []
    )
    reasons += [f"the sampler keeps the top {top_k:g} tokens"] if top_k and top_k > 0 else []
    reasons += [f"the sampler drops tokens below {min_p:g} of the likeliest"] if min_p else []
    reasons += (
        [f"the sampler has a repetition penalty of {penalty:g}"] if penalty not in (None, 1) else []
    )
    return reasons


def _below_one(share: float | None) -> bool:
    return share is not None and share < 1


FRAMEWORKS: tuple[tuple[Callable[[Settings], bool], Callable[[Settings], Setup]], ...] = (
    (_is_ours, _recipe),
    (_is_async_trl, _async_trl),
    (_is_trl, _trl),
    (_is_verl, _verl),
)
"""What is told by names that only this framework has, and how it is read."""
