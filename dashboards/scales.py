"""The y axis of a panel: linear or logarithmic, how far it reaches, and its ticks."""

from __future__ import annotations

import math
from typing import Any

from collapse_lab.records import Evidence
from collapse_lab.signals import SIGNALS


def on_log_axis(signal: str, span: tuple[float, float] | None) -> bool:
    """Where the signal's own transform says so and no value forbids it."""
    known = SIGNALS.get(signal)
    positive = span is not None and span[0] > 0
    return known is not None and known.transform == "log" and positive


def extended(
    span: tuple[float, float] | None, evidence: Evidence | None, log: bool
) -> tuple[float, float] | None:
    """The span of the values, and of the healthy band as far as it is not much wider."""
    if span is None or evidence is None:
        return span
    low, high = span
    reach = (high - low) * 0.5
    least = 0.0 if log else -math.inf
    bounds = [value for value in (evidence.low, evidence.high) if least < value < math.inf]
    return (
        max(min([low, *bounds]), low - reach),
        min(max([high, *bounds]), high + reach),
    )


def joined(
    one: tuple[float, float] | None, other: tuple[float, float] | None
) -> tuple[float, float] | None:
    """The span of both."""
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1])


def vertical_axis(
    span: tuple[float, float] | None, log: bool, growing: bool = False
) -> dict[str, Any]:
    """The y axis of values within `span`; one that may still grow finds its range itself.

    >>> vertical_axis((0.5, 0.5), log=True)["ticktext"]  # plotly would write 1, 5, 2, 1, 5
    ['0.01', '0.02', '0.05', '0.1', '0.2', '0.5', '1', '2', '5']
    """
    if log and (span is None or span[0] < span[1] < 4 * span[0]):
        return {"type": "log", "nticks": 4}
    if log and span is not None:
        ticks = log_ticks(*span)
        texts = [f"{tick:g}" for tick in ticks]
        return {"type": "log", "tickvals": ticks, "ticktext": texts}
    return {"autorange": True} if growing else {"range": _padded(span)}


def _padded(span: tuple[float, float] | None) -> list[float] | None:
    if span is None:
        return None
    low, high = span
    pad = (high - low) * 0.06 or abs(high) * 0.1 or 0.5
    return [low - pad, high + pad]


def log_ticks(low: float, high: float) -> list[float]:
    """At most about five round numbers within, and some beyond for an axis that may still grow.

    >>> log_ticks(0.1, 2.7)
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0]
    >>> log_ticks(1e-6, 1.0)
    [1e-09, 1e-07, 1e-05, 0.001, 0.1, 10.0]
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    if last - first <= 2:
        powers = range(first - 1, last + 1)
        return [float(f"{base}e{power}") for power in powers for base in (1, 2, 5)]
    stride = math.ceil((last - first) / 5)
    return [float(f"1e{power}") for power in range(first - 3, last + 3, stride)]
