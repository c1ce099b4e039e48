"""Rows that every detector has to beat: one-line rules and river's drift detectors.

Each takes a run as `(names, values)` streams and gives the points at which it alarms, ascending.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from collapse_lab.records import Record
from collapse_lab.signals import SIGNALS

Series = Mapping[str, NDArray[np.float64]]

REWARDS = ("reward/mean", "reward/success_rate", "reward/penalised_mean")
EMA, DROP, WARMUP = 0.2, 0.6, 10
"""Weight of the newest reward; share of the best that is a drop; records before a rule speaks."""


def raw_series(records: Sequence[Record]) -> dict[str, NDArray[np.float64]]:
    """Signal -> its value at every record, NaN where absent; signals with a bad direction only."""
    names = dict.fromkeys(
        name
        for record in records
        for name in record.values
        if name in SIGNALS and SIGNALS[name].bad != "none"
    )
    return {
        name: np.array([record.values.get(name, math.nan) for record in records]) for name in names
    }


def never(series: Series) -> list[int]:
    """Never alarms."""
    return []


def always(series: Series) -> list[int]:
    """Alarms at the first record."""
    return [0]


def reward_drop(series: Series) -> list[int]:
    """Moving average of the reward below 60 % of its own maximum; silent while that is <= 0."""
    rewards = next((series[name] for name in REWARDS if name in series), np.empty(0))
    average = best = math.nan
    alarms: list[int] = []
    seen = 0
    for point, reward in enumerate(rewards):
        if not math.isfinite(reward):
            continue
        seen += 1
        average = reward if seen == 1 else average + EMA * (reward - average)
        if seen >= WARMUP:
            best = average if math.isnan(best) else max(best, average)
            if best > 0 and average < DROP * best:
                alarms.append(point)
    return alarms


def three_sigma(series: Series) -> list[int]:
    """Any signal more than three standard deviations from the mean of its past."""
    alarms: set[int] = set()
    for values in series.values():
        finite = np.flatnonzero(np.isfinite(values))
        x = values[finite]
        count = np.arange(len(x))
        with np.errstate(all="ignore"):
            mean = np.concatenate([[np.nan], np.cumsum(x)[:-1]]) / count
            square = np.concatenate([[np.nan], np.cumsum(x**2)[:-1]]) / count
            far = np.abs(x - mean) > 3 * np.sqrt(np.maximum(square - mean**2, 0))
            moved = square - mean**2 > 1e-12 * square
        alarms.update(finite[far & moved & (count >= WARMUP)].tolist())
    return sorted(alarms)


def adwin(series: Series) -> list[int]:
    """river's ADWIN at its defaults on every signal; any of them alarms."""
    from river.drift import ADWIN

    return _drift(ADWIN, series)


def page_hinkley(series: Series) -> list[int]:
    """river's Page-Hinkley at its defaults on every signal; any of them alarms."""
    from river.drift import PageHinkley

    return _drift(PageHinkley, series)


def _drift(make: Callable[[], object], series: Series) -> list[int]:
    alarms: set[int] = set()
    for values in series.values():
        detector = make()
        for point in np.flatnonzero(np.isfinite(values)):
            detector.update(float(values[point]))  # pyright: ignore[reportAttributeAccessIssue]
            if detector.drift_detected:  # pyright: ignore[reportAttributeAccessIssue]
                alarms.add(int(point))
    return sorted(alarms)


RULES: dict[str, Callable[[Series], list[int]]] = {
    "never": never,
    "always": always,
    "reward below 60 % of its best": reward_drop,
    "any signal beyond 3 sigma": three_sigma,
    "river ADWIN": adwin,
    "river Page-Hinkley": page_hinkley,
}
ON_RESIDUALS = ("river ADWIN", "river Page-Hinkley")
"""Rules that are also run on our whitened residuals."""
