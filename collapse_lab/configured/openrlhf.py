"""OpenRLHF's arguments, with plain names (to 0.9) or with dotted ones.

Whether the trainer's log-probs are taken at the sampler's temperature differs between versions, and
so does what generating more than a batch at once means: both are left open.
Source: OpenRLHF `cli/train_ppo_ray.py`, `models/loss.py`, `trainer/ppo_utils/replay_buffer.py`,
`trainer/ray/ppo_actor.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from collapse_lab.configured.clipping import Clip, ratio_clip
from collapse_lab.configured.settings import Settings
from collapse_lab.configured.setup import Setup, bonus, cut_off, quotient


@dataclass(frozen=True, slots=True)
class Names:
    """What one generation of OpenRLHF calls its arguments; `alone` are only its own."""

    alone: tuple[str, ...]
    clip: str
    bounds: str
    form: str
    rollouts: str
    answers: str
    batch: str
    passes: str
    entropy: str
    asynchronous: str
    generated: str
    corrected: str
    sampling: str


PLAIN = Names(
    alone=("eps_clip", "max_epochs", "micro_rollout_batch_size", "vllm_num_engines"),
    clip="eps_clip",
    bounds="eps_clip_low_high",
    form="policy_loss_type",
    rollouts="rollout_batch_size",
    answers="n_samples_per_prompt",
    batch="train_batch_size",
    passes="max_epochs",
    entropy="entropy_loss_coef",
    asynchronous="async_train",
    generated="vllm_generate_batch_size",
    corrected="enable_vllm_is_correction",
    sampling="",
)
DOTTED = Names(
    alone=("actor.eps_clip", "train.max_epochs", "rollout.n_samples_per_prompt"),
    clip="actor.eps_clip",
    bounds="actor.eps_clip_low_high",
    form="actor.policy_loss_type",
    rollouts="rollout.batch_size",
    answers="rollout.n_samples_per_prompt",
    batch="train.batch_size",
    passes="train.max_epochs",
    entropy="actor.entropy_coef",
    asynchronous="train.async_enable",
    generated="rollout.vllm_generate_batch_size",
    corrected="algo.advantage.is_correction_enable",
    sampling="rollout.",
)


def is_openrlhf(settings: Settings) -> bool:
    return any(settings.states(*names.alone) for names in (PLAIN, DOTTED))


def openrlhf(settings: Settings) -> Setup:
    names = DOTTED if settings.states(*DOTTED.alone) else PLAIN
    prompts, answers = settings.number(names.rollouts), settings.number(names.answers)
    passes = settings.number(names.passes)
    samples = prompts * answers if prompts and answers else None
    raised, lowered = bonus(settings.number(names.entropy))
    sequences = settings.text(names.form) == "gspo"
    return Setup(
        clip=_clip(settings, names),
        passes=passes,
        updates=quotient(samples, settings.number(names.batch), passes),
        old=_old(settings, names),
        from_sampler=sequences and settings.switch(names.corrected) is True,
        distorted=_distorted(settings.below(names.sampling)),
        raised=raised,
        lowered=lowered,
    )


def _clip(settings: Settings, names: Names) -> Clip | None:
    """`eps_clip_low_high` overrides `eps_clip`. GSPO's ratio is the mean over a response."""
    form = settings.text(names.form) or "ppo"
    if form not in ("ppo", "gspo"):
        return None
    bounds = settings.numbers(names.bounds)
    both = bounds if len(bounds) == 2 else [settings.number(names.clip)] * 2
    level = "mean" if form == "gspo" else "token"
    return ratio_clip(level, (names.bounds if bounds else names.clip, both[0]), ("above", both[1]))


def _distorted(sampling: Settings) -> tuple[str, ...] | None:
    reasons = tuple(cut_off(sampling))
    return reasons if reasons or sampling.number("temperature") in (None, 1) else None


def _old(settings: Settings, names: Names) -> str | None:
    asynchronous = settings.switch(names.asynchronous)
    if asynchronous:
        return f"rollouts are made while the trainer goes on ({names.asynchronous})"
    at_once, batch = settings.number(names.generated), settings.number(names.rollouts)
    if asynchronous is None or (at_once and batch and at_once > batch):
        return None
    return ""
