"""prime-rl: the trainer's configuration, the orchestrator's, or the file that holds both.

One step of the optimizer is made of a batch, at the temperature at which each token was drawn, with
the sampler's own log-probs below the ratio. Its loss masks differences of probabilities, which
bound no ratio: the clip is left open, and so is how the sampler draws where only the trainer is
known.
Source: prime-rl `configs/trainer.py`, `configs/orchestrator.py`, `trainer/rl/train.py`,
`trainer/rl/loss.py`.
"""

from __future__ import annotations

from collapse_lab.configured.settings import Settings
from collapse_lab.configured.setup import Setup, cut_off

TRAINER = ("loss.type", "weight_broadcast.type", "max_concurrent_runs")
ORCHESTRATOR = ("max_off_policy_steps", "oversampling_factor")
BOTH = ("trainer.loss.type", "orchestrator.max_off_policy_steps")


def is_prime_rl(settings: Settings) -> bool:
    return any(settings.states(*names) for names in (TRAINER, ORCHESTRATOR, BOTH))


def prime_rl(settings: Settings) -> Setup:
    both = settings.states(*BOTH)
    trainer = settings.below("trainer.") if both else settings
    orchestrator = settings.below("orchestrator.") if both else settings
    return Setup(
        passes=1.0,
        updates=1.0,
        old=_old(orchestrator),
        from_sampler=trainer.text("loss.type") != "custom",
        distorted=_distorted(orchestrator.below("sampling.")),
    )


def _old(settings: Settings) -> str | None:
    """Newer versions only bound the age of a rollout, which says nothing of the usual one unless it
    is zero."""
    ahead = settings.number("max_async_level")
    if ahead:
        steps = "step" if ahead == 1 else "steps"
        return f"rollouts are made up to {ahead:g} {steps} ahead (max_async_level)"
    return "" if ahead == 0 or settings.number("max_off_policy_steps") == 0 else None


def _distorted(sampling: Settings) -> tuple[str, ...] | None:
    """What the sampler is sent besides its own settings counts as well."""
    if not sampling.leaves:
        return None
    return tuple(cut_off(Settings({**sampling.leaves, **sampling.below("extra_body.").leaves})))
