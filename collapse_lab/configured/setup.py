"""The few facts that every configuration is read into, and how settings become facts."""

from __future__ import annotations

from dataclasses import dataclass

from collapse_lab.configured.clipping import Clip
from collapse_lab.configured.settings import Settings


@dataclass(frozen=True, slots=True)
class Setup:
    """What is None, or "", is not stated.

    `passes` are made over every batch of rollouts, by `updates` steps of the optimizer. `old` says
    why the sampler's weights are older than the trainer's, "" where they are not; `from_sampler`
    that the ratio starts from the sampler's own log-probs; `one_engine` that trainer and sampler
    are the same code with the same weights. `distorted` are reasons why rollouts are not drawn
    from the distribution that the trainer takes them for, () where they are. `raised` and
    `lowered` are what pays for more entropy and for less, `paid` what an episode earns besides its
    task, and `weighed` the weights of several rewards.
    """

    clip: Clip | None = None
    passes: float | None = None
    updates: float | None = None
    old: str | None = None
    from_sampler: bool = False
    one_engine: bool = False
    distorted: tuple[str, ...] | None = ()
    raised: str = ""
    lowered: str = ""
    paid: str = ""
    weighed: tuple[float, ...] = ()


def bonus(weight: float | None) -> tuple[str, str]:
    """What pays for entropy, and against it."""
    if not weight:
        return "", ""
    if weight > 0:
        return f"an entropy bonus has the weight {weight:g}", ""
    return "", f"the entropy bonus is a penalty, with the weight {weight:g}"


def tempered(drawn_at: float | None, learned_at: float | None) -> list[str]:
    if drawn_at is None or learned_at is None or drawn_at == learned_at:
        return []
    return [f"rollouts are drawn at temperature {drawn_at:g} and learned at {learned_at:g}"]


def cut_off(sampling: Settings) -> list[str]:
    """What keeps the sampler from drawing some tokens that the trainer gives a probability."""
    top_p, top_k = sampling.number("top_p"), sampling.number("top_k")
    penalty, min_p = sampling.number("repetition_penalty"), sampling.number("min_p")
    reasons = (
        [f"the sampler keeps the top {top_p:g} of the probability"] if below_one(top_p) else []
    )
    reasons += [f"the sampler keeps the top {top_k:g} tokens"] if top_k and top_k > 0 else []
    reasons += [f"the sampler drops tokens below {min_p:g} of the likeliest"] if min_p else []
    reasons += (
        [f"the sampler has a repetition penalty of {penalty:g}"] if penalty not in (None, 1) else []
    )
    return reasons


def below_one(share: float | None) -> bool:
    return share is not None and share < 1


def quotient(samples: float | None, batch: float | None, passes: float | None) -> float | None:
    """Steps of the optimizer that `passes` over so many samples make, in batches of so many."""
    if not samples or not batch or not passes:
        return None
    return passes * max(1.0, samples / batch)
