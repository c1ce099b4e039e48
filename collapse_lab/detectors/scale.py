"""The scale on which a signal's healthy variation is about even, and which signals are judged."""

from __future__ import annotations

import math

from collapse_lab.signals import SIGNALS, Signal

SHARE_FLOOR = 0.01
TINY = 1e-30


def to_scale(signal: Signal, value: float) -> float:
    """The value on the signal's even scale; NaN when it is an event and not a number.

    Shares are squeezed to [0.01, 0.99] of the logit, so that one rollout more or less at the edge
    stays a small step.

    >>> to_scale(SIGNALS["length/trunc_frac"], 0.5), to_scale(SIGNALS["optim/grad_norm"], 1.0)
    (0.0, 0.0)
    >>> to_scale(SIGNALS["optim/grad_norm"], 0.0)
    nan
    """
    if not math.isfinite(value):
        return math.nan
    if signal.transform == "log":
        if value > 0:
            return math.log(max(value, signal.least, TINY))
        return math.log(TINY) if value == 0 and signal.zero == "value" else math.nan
    if signal.transform == "logit":
        share = (min(max(value, 0.0), 1.0) + SHARE_FLOOR) / (1 + 2 * SHARE_FLOOR)
        return math.log(share / (1 - share))
    return value


def from_scale(signal: Signal, x: float) -> float:
    """Inverse of `to_scale` (up to its clipping)."""
    if signal.transform == "log":
        return math.exp(min(x, 700.0))
    if signal.transform == "logit":
        share = 1 / (1 + math.exp(-min(max(x, -700.0), 700.0)))
        return min(max(share * (1 + 2 * SHARE_FLOOR) - SHARE_FLOOR, 0.0), 1.0)
    return x


JUDGED = frozenset(
    name
    for name, signal in SIGNALS.items()
    if signal.bad != "none" and signal.family not in ("reward", "time")
)
"""Signals that a detector may lead with: they have a bad direction and are no reward."""
