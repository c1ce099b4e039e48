"""slime's arguments.

They do not say which of its two scripts runs: `train_async.py` refuses `colocate`, so that only a
run that has it is known to sample with the weights as they are. Every rollout is learned from once,
at the temperature at which it was drawn. What newer versions do about top-p is left open.
Source: slime `utils/arguments.py`, `utils/ppo_utils.py`, `backends/megatron_utils/loss.py`,
`train_async.py`.
"""

from __future__ import annotations

from collapse_lab.configured.clipping import CAPPED, Clip, Level, ratio_clip
from collapse_lab.configured.settings import Settings
from collapse_lab.configured.setup import Setup, bonus, cut_off, quotient

LEVELS: dict[str, Level] = {"gspo": "mean"}


def is_slime(settings: Settings) -> bool:
    return settings.states("eps_clip", "num_steps_per_rollout", "rollout_temperature")


def slime(settings: Settings) -> Setup:
    prompts, answers = (
        settings.number("rollout_batch_size"),
        settings.number("n_samples_per_prompt"),
    )
    samples = prompts * answers if prompts and answers else None
    stated = settings.number("num_steps_per_rollout")
    raised, lowered = bonus(settings.number("entropy_coef"))
    return Setup(
        clip=_clip(settings),
        passes=1.0,
        updates=stated or quotient(samples, settings.number("global_batch_size"), 1.0),
        old=_old(settings),
        from_sampler=settings.switch("use_rollout_logprobs") or False,
        distorted=None if cut_off(settings.below("rollout_")) else (),
        raised=raised,
        lowered=lowered,
    )


def _clip(settings: Settings) -> Clip | None:
    """The estimator of advantages also names the form of the loss; `opsm_delta` drops sequences
    that have become rare, of those with A < 0."""
    if settings.text("loss_type") not in (None, "policy_loss"):
        return None
    estimator = settings.text("advantage_estimator") or ""
    masks = settings.switch("use_opsm")
    return ratio_clip(
        LEVELS.get(estimator, "token"),
        ("eps_clip", settings.number("eps_clip")),
        ("eps_clip_high", settings.number("eps_clip_high")),
        form=estimator if estimator == CAPPED else "",
        mask=settings.number("opsm_delta") if masks else None,
    )


def _old(settings: Settings) -> str | None:
    every = settings.number("update_weights_interval")
    if every and every > 1:
        return f"the sampler gets new weights every {every:g} rollouts"
    if settings.switch("partial_rollout"):
        return "rollouts that were not finished are carried over (partial_rollout)"
    return "" if settings.switch("colocate") else None
