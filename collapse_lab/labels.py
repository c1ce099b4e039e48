"""After the fact: did this run collapse, how and when. It looks ahead: it judges detectors.

A run has collapsed when its reward, smoothed, has lost half of what it had gained and stays so
without coming back. The onset is where the fall began, found by the best broken stick; the
crossing is where half was gone. The constants were fixed before any detector was scored; they
stand here and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from collapse_lab.knee import knee
from collapse_lab.noise import step_noise
from collapse_lab.records import Record

Array = NDArray[np.float64]
Kind = Literal[
    "collapse",
    "slow_decay",
    "hard_fail",
    "suspect_censored",
    "healthy",
    "healthy_with_dip",
    "never_learned",
    "too_short",
    "no_reward",
]

COLLAPSED = ("collapse", "slow_decay", "hard_fail")
REWARDS = (
    "reward/success_rate",
    "reward/mean",
    "reward/penalised_mean",
    "eval/success_rate",
    "eval/score",
)
"""Success rate is preferred; the first that has enough numbers is judged."""
NUMERIC = ("loss/total", "loss/pg", "optim/grad_norm")
SMOOTHING_SHARE, SMOOTHING_LEAST = 0.01, 5
"""Window of the trailing median: it swallows single bad batches."""
PERSISTENCE_SHARE, PERSISTENCE_RANGE = 0.05, (10, 50)
"""Records for which a loss must last: long enough to outlive a dip, short enough for short runs."""
LOST = 0.5
"""Of the gain over the floor: zero if rewards are never negative, else where the run began."""
REGAINED = 0.8
MOST = 0.8
"""Share of the persistence window that must agree."""
NEAR_PEAK = 0.95
LEAST_GAIN, LEAST_GAIN_NOISE = 0.05, 3.0
"""A gain below 5 % of the reward's size or three standard deviations of its noise is none; nor
is a loss below three."""
SLOW_RECORDS, SLOW_SHARE = 100, 0.25
NON_FINITE_FOR = 2


@dataclass(frozen=True, slots=True)
class Label:
    """`onset` and `cross` are training steps, None where the run did not collapse."""

    kind: Kind
    onset: int | None = None
    cross: int | None = None


def label_run(records: Sequence[Record]) -> Label:
    """Labels one run, given whole and in order."""
    broken = _first_non_finite(records)
    judged = _label_reward(records)
    if broken is not None and (judged.onset is None or broken <= judged.onset):
        return Label("hard_fail", broken, broken)
    return judged


def _label_reward(records: Sequence[Record]) -> Label:
    steps, reward = judged_reward(records)
    total = len(reward)
    if total == 0:
        logged = any(
            math.isfinite(r.values.get(name, math.nan)) for r in records for name in REWARDS
        )
        return Label("too_short" if logged else "no_reward")
    window = max(SMOOTHING_LEAST, math.ceil(SMOOTHING_SHARE * total))
    smooth = _trailing_median(reward, window)
    floor = 0.0 if reward.min() >= 0 else float(np.median(reward[:window]))
    noise = step_noise(np.diff(reward))
    peak = np.maximum.accumulate(smooth)
    gain = peak - floor
    least = max(LEAST_GAIN * float(np.abs(smooth).max()), LEAST_GAIN_NOISE * noise)
    if gain.max() < least or not gain.any():
        return Label("never_learned")
    low, high = PERSISTENCE_RANGE
    persistence = int(min(max(PERSISTENCE_SHARE * total, low), high))
    beyond_noise = (gain >= least) & (peak - smooth >= LEAST_GAIN_NOISE * noise)
    lost = (smooth <= floor + LOST * gain) & beyond_noise
    lost[: 2 * window] = False
    dipped, t = False, 2 * window
    while t < total:
        if not lost[t]:
            t += 1
            continue
        rest = lost[t : t + persistence]
        if len(rest) < persistence:
            return Label("suspect_censored", *_when(steps, reward, smooth, peak, t))
        back = _recovery(smooth >= floor + REGAINED * gain[t], t, persistence)
        if rest.mean() < MOST or back is not None:
            dipped = True
            t = back if back is not None else t + persistence
            continue
        onset, cross = _when(steps, reward, smooth, peak, t)
        begin = int(np.searchsorted(steps, onset))
        slow = t - begin > max(SLOW_RECORDS, SLOW_SHARE * total)
        return Label("slow_decay" if slow else "collapse", onset, cross)
    return Label("healthy_with_dip" if dipped else "healthy")


def judged_reward(records: Sequence[Record]) -> tuple[NDArray[np.int64], Array]:
    """Steps and values of the reward to judge, finite values only; none of one with too few."""
    for name in REWARDS:
        rows = [
            (r.step, r.values[name]) for r in records if math.isfinite(r.values.get(name, math.nan))
        ]
        if len(rows) >= 3 * SMOOTHING_LEAST:
            break
    else:
        rows = []
    return (
        np.array([step for step, _ in rows], np.int64),
        np.array([value for _, value in rows], float),
    )


def _trailing_median(x: Array, window: int) -> Array:
    padded = np.concatenate([np.full(window - 1, np.nan), x])
    return np.nanmedian(np.lib.stride_tricks.sliding_window_view(padded, window), axis=1)


def _recovery(regained: NDArray[np.bool_], start: int, persistence: int) -> int | None:
    """First index from which most of the persistence window is back near the peak."""
    share = np.convolve(regained[start:], np.ones(persistence) / persistence, "valid")
    back = np.flatnonzero(share >= MOST)
    return start + int(back[0]) + persistence if len(back) else None


def _when(
    steps: NDArray[np.int64], reward: Array, smooth: Array, peak: Array, t: int
) -> tuple[int, int]:
    """Onset and crossing as steps: a flat piece, then a line, with the least squared error."""
    span = peak[t] - min(0.0, float(reward.min()))
    near = np.flatnonzero(smooth[:t] >= peak[t] - (1 - NEAR_PEAK) * span)
    start = int(near[-1]) if len(near) else 0
    start = max(0, start - SMOOTHING_LEAST)  # the trailing median lags the raw reward
    onset = start + knee(reward[start : t + 1]).at
    return int(steps[onset]), int(steps[t])


def _first_non_finite(records: Sequence[Record]) -> int | None:
    """First step of a non-finite loss or gradient that lasts."""
    since: dict[str, list[int]] = {}
    for record in records:
        for name in NUMERIC:
            value = record.values.get(name)
            if value is None:
                continue
            if math.isfinite(value):
                since.pop(name, None)
                continue
            since.setdefault(name, []).append(record.step)
            if len(since[name]) >= NON_FINITE_FOR:
                return since[name][0]
    return None
