"""Which mechanisms a configuration rules out, and which it makes possible.

Neither says that a run has failed: `detectors/naming.py` asks when it has the evidence of one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from collapse_lab.configured.frameworks import setup_of
from collapse_lab.configured.setup import Setup

NARROW, WIDE = math.log(1.5), math.log(2.0)
"""Bounds of a token's log-ratio: of a usual clip (DAPO's upper one is at log 1.28), and of one that
no longer holds what it should. Between the two nothing is said."""
MANY_UPDATES = 16
"""Of one batch of rollouts, in a single pass: the last ones learn from what an older policy did."""


@dataclass(frozen=True, slots=True)
class Suspects:
    """Mechanism (a key of `mechanisms.MECHANISMS`) -> why, in one clause."""

    ruled_out: Mapping[str, str] = field(default_factory=dict[str, str])
    possible: Mapping[str, str] = field(default_factory=dict[str, str])


NOTHING = Suspects()


def suspects_of(config: Any) -> Suspects:
    """`NOTHING` for what is no configuration, or that of no framework that is known."""
    setup = setup_of(config)
    if setup is None:
        return NOTHING
    return Suspects(
        {key: why for key, rule in RULED_OUT.items() if (why := rule(setup))},
        {key: why for key, rule in POSSIBLE.items() if (why := rule(setup))},
    )


def _held(setup: Setup) -> str:
    """A hard clip with bounds as narrow as usual."""
    clip = setup.clip
    if clip is None or clip.keeps or clip.soft:
        return ""
    holds = -clip.low <= NARROW and clip.high <= NARROW
    return f"the clip is a usual one ({clip.said})" if holds else ""


def _let_pass(setup: Setup) -> str:
    """A clip that caps a token's weight and not its gradient, a gate that never closes, or a bound
    beyond a ratio of two; unless sequences that have become rare are masked."""
    clip = setup.clip
    if clip is None or clip.mask is not None:
        return ""
    if clip.keeps:
        return f"tokens beyond the band keep their gradient ({clip.said})"
    bounded = math.isfinite(clip.high)  # what has no bounds holds tokens in some other way
    wide = bounded and (-clip.low >= WIDE or clip.high >= WIDE)
    return f"the clip is wide ({clip.said})" if wide else ""


def _fresh(setup: Setup) -> str:
    """A single update of every batch of rollouts, which come from the weights as they are."""
    once = setup.updates is not None and setup.updates <= 1
    return "one update is made of every batch of rollouts" if once and setup.old == "" else ""


def _used_up(setup: Setup) -> str:
    """A sampler whose weights are old, several passes over a batch of rollouts, or sixteen updates
    of it."""
    if setup.old:
        return setup.old
    if setup.passes is not None and setup.passes > 1:
        return f"{setup.passes:g} passes are made over every batch of rollouts"
    if setup.updates is not None and setup.updates >= MANY_UPDATES:
        return f"{setup.updates:g} updates are made of every batch of rollouts"
    return ""


def _matched(setup: Setup) -> str:
    """A policy that draws its rollouts itself and as it is learned, or a ratio that starts from the
    sampler's own log-probs."""
    if setup.distorted != ():
        return ""
    if setup.from_sampler:
        return "the ratio starts from the sampler's own log-probs"
    if setup.one_engine and setup.old == "":
        return "the policy itself draws the rollouts, as it is learned"
    return ""


def _unmatched(setup: Setup) -> str:
    """A sampler with other weights (old, rounded, quantised) or another distribution (its
    temperature, tokens cut off). An engine of its own alone says nothing."""
    late = setup.old if setup.old and not setup.from_sampler else ""
    return "; ".join(filter(None, (*(setup.distorted or ()), late)))


def _raised(setup: Setup) -> str:
    """An entropy bonus. Entropy explodes without one, too."""
    return setup.raised


def _lowered(setup: Setup) -> str:
    """A penalty on entropy, or rollouts that are drawn colder than they are learned."""
    return setup.lowered


def _paid_by_length(setup: Setup) -> str:
    """A reward for long answers, or for short ones."""
    return f"{setup.paid} are paid for" if setup.paid.endswith("answers") else ""


def _besides(setup: Setup) -> str:
    """A reward for something besides the task, or several that are weighed."""
    if setup.paid:
        return f"{setup.paid} are paid for"
    several = len(setup.weighed) > 1
    weights = ", ".join(f"{weight:g}" for weight in setup.weighed)
    return f"{len(setup.weighed)} rewards are weighed ({weights})" if several else ""


Reason = Callable[[Setup], str]
RULED_OUT: dict[str, Reason] = {
    "staleness": _fresh,
    "mismatch": _matched,
    "tolerant_clip": _held,
}
POSSIBLE: dict[str, Reason] = {
    "reward_hacking": _besides,
    "staleness": _used_up,
    "mismatch": _unmatched,
    "tolerant_clip": _let_pass,
    "entropy_explosion": _raised,
    "entropy_collapse": _lowered,
    "length": _paid_by_length,
}
"""By mechanism: why a setup does, in a clause; "" where it does not."""
