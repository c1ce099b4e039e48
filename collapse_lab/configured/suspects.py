"""Which mechanisms a configuration rules out, and which it makes possible.

Neither says that a run has failed: `detectors/naming.py` asks when it has the evidence of one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from collapse_lab.configured.clipping import Clip
from collapse_lab.configured.frameworks import Setup, setup_of

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
    ruled_out = {
        "tolerant_clip": _holds(setup.clip),
        "staleness": _fresh(setup),
        "mismatch": _matched(setup),
    }
    possible = {
        "tolerant_clip": _lets_pass(setup.clip),
        "staleness": _used_up(setup),
        "mismatch": _unmatched(setup),
        "entropy_explosion": setup.raised,
        "entropy_collapse": setup.lowered,
        "length": f"{setup.paid} are paid for" if setup.paid.endswith("answers") else "",
        "reward_hacking": _besides(setup),
    }
    return Suspects(
        {key: why for key, why in ruled_out.items() if why},
        {key: why for key, why in possible.items() if why},
    )


def _holds(clip: Clip | None) -> str:
    if clip is None or clip.keeps or clip.soft:
        return ""
    holds = -clip.low <= NARROW and clip.high <= NARROW
    return f"the clip is a usual one ({clip.said})" if holds else ""


def _lets_pass(clip: Clip | None) -> str:
    if clip is None or clip.mask is not None:
        return ""
    if clip.keeps:
        return f"tokens beyond the band keep their gradient ({clip.said})"
    wide = not clip.soft and (-clip.low >= WIDE or clip.high >= WIDE)
    return f"the clip is wide ({clip.said})" if wide else ""


def _fresh(setup: Setup) -> str:
    once = setup.updates is not None and setup.updates <= 1
    return "one update is made of every batch of rollouts" if once and setup.old == "" else ""


def _used_up(setup: Setup) -> str:
    if setup.old:
        return setup.old
    if setup.passes is not None and setup.passes > 1:
        return f"{setup.passes:g} passes are made over every batch of rollouts"
    if setup.updates is not None and setup.updates >= MANY_UPDATES:
        return f"{setup.updates:g} updates are made of every batch of rollouts"
    return ""


def _matched(setup: Setup) -> str:
    if setup.distorted:
        return ""
    if setup.from_sampler:
        return "the ratio starts from the sampler's own log-probs"
    if setup.one_engine and setup.old == "":
        return "the policy itself draws the rollouts, as it is learned"
    return ""


def _unmatched(setup: Setup) -> str:
    late = setup.old if setup.old and not setup.from_sampler else ""
    return "; ".join(filter(None, (*setup.distorted, late)))


def _besides(setup: Setup) -> str:
    if setup.paid:
        return f"{setup.paid} are paid for"
    several = len(setup.weighed) > 1
    weights = ", ".join(f"{weight:g}" for weight in setup.weighed)
    return f"{len(setup.weighed)} rewards are weighed ({weights})" if several else ""
