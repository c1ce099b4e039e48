"""How far a signal had moved from its run's own early steps by a given step, and for how long.

Two runs are compared at the same step, since most signals drift in every run.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from benchmarks.arena_runs import ArenaRun, Array

Direction = Literal["up", "down", "either"]
When = Literal["onset", "cross"]
"""Of a label: where success began to fall, where half of the gain was gone."""
EARLY = (5, 15)
"""Steps of the early band: half of those before the step in question, within these limits."""
SMOOTHED = 3
OUT = 3.0
"""Spreads (by the median absolute deviation) from the early median: outside of the band."""
RESAMPLES = 5_000


class Series(NamedTuple):
    """A number a step, NaN where there is none, and its trailing median."""

    raw: Array
    smooth: Array

    @classmethod
    def of(cls, raw: Array) -> Series:
        padded = np.concatenate([np.full(SMOOTHED - 1, np.nan), raw])
        windows = np.lib.stride_tricks.sliding_window_view(padded, SMOOTHED)
        known = ~np.isnan(windows).all(1)
        smooth = np.full(len(raw), np.nan)
        smooth[known] = np.nanmedian(windows[known], axis=1)
        return cls(raw, smooth)


@dataclass(frozen=True, slots=True)
class Watched:
    """A run and its signals."""

    run: ArenaRun
    signals: Mapping[str, Series]


class Moved(NamedTuple):
    """`distance` from the early median, in spreads and in the bad direction, just before a step;
    `lead` is for how many steps it had been outside of the band by then, 0 for inside."""

    distance: float
    lead: int


def moved(series: Series, step: int, direction: Direction) -> Moved | None:
    """How a signal stood before `step`; None where there are too few steps or values."""
    least, most = EARLY
    early = min(most, max(least, step // 2))
    if step <= early:
        return None
    band = series.raw[:early][np.isfinite(series.raw[:early])]
    if len(band) < least:
        return None
    middle = float(np.median(band))
    # the floor is for signals that had not moved at all yet
    spread = max(1.4826 * float(np.median(np.abs(band - middle))), float(band.std()) / 2, 1e-9)
    distance = (series.smooth[:step] - middle) / spread
    if direction != "up":
        distance = -distance if direction == "down" else np.abs(distance)
    if np.isnan(distance[-1]):
        return None
    inside = np.flatnonzero(~(distance[early:] > OUT))
    lead = step - early - (int(inside[-1]) + 1 if len(inside) else 0)
    return Moved(float(distance[-1]), lead)


class Asked(NamedTuple):
    """One collapsing run at one step, and the healthy runs at the same step."""

    own: Moved
    healthy: list[Moved]

    @property
    def ahead(self) -> float:
        """Share of the healthy runs that it is further from its early steps than; ties half."""
        scores = [
            (self.own.distance > other.distance) + 0.5 * (self.own.distance == other.distance)
            for other in self.healthy
        ]
        return statistics.mean(scores)


def asked(
    collapsing: Iterable[Watched],
    healthy: Sequence[Watched],
    signal: str,
    direction: Direction,
    when: When,
) -> list[Asked]:
    """Every collapsing run for which there are healthy ones of its task and rate."""
    result: list[Asked] = []
    for watched in collapsing:
        step = getattr(watched.run.label, when)
        own = moved(watched.signals[signal], step, direction)
        others = [
            found
            for other in healthy
            if (other.run.task, other.run.rate) == (watched.run.task, watched.run.rate)
            and other.run.steps > step
            and (found := moved(other.signals[signal], step, direction)) is not None
        ]
        if own is not None and others:
            result.append(Asked(own, others))
    return result


def chance(answers: Sequence[Asked], seed: int = 0) -> tuple[float, float, float]:
    """Mean of `Asked.ahead` with its 95 % interval over resampled collapsing runs, the same in
    whatever order those come."""
    ahead = np.sort([a.ahead for a in answers])
    rows = np.random.default_rng(seed).integers(len(ahead), size=(RESAMPLES, len(ahead)))
    low, high = np.percentile(ahead[rows].mean(1), [2.5, 97.5])
    return float(ahead.mean()), float(low), float(high)
