"""Rows that every detector has to beat: one-line rules and river's drift detectors.

A rule turns a run's series into a score a record, which alarms above 1. River's detectors, whose
state starts again at an alarm, are run with their thresholds `scale` times as far from harmless.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from collapse_lab.detectors.reward import PARTS
from collapse_lab.records import Record
from collapse_lab.signals import SIGNALS

Array = NDArray[np.float64]
Series = Mapping[str, Array]
Score = Callable[[Series], Array]

REWARDS = ("reward/mean", "reward/success_rate", "reward/penalised_mean")
EMA, DROP, WARMUP = 0.2, 0.6, 10
"""Weight of the newest reward; share of the best that is a drop; records before a rule speaks."""
SIGMAS = 3.0
ADWIN_DELTA, PAGE_HINKLEY_THRESHOLD = 0.002, 50.0
"""river's defaults."""


def raw_series(records: Sequence[Record]) -> dict[str, Array]:
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


def beyond(score: Array) -> list[int]:
    """Points at which a score alarms."""
    return np.flatnonzero(score > 1).tolist()


def never(series: Series) -> Array:
    """Never alarms."""
    return np.zeros(_records(series))


def always(series: Series) -> Array:
    """Alarms at every record."""
    return np.full(_records(series), 2.0)


def reward_drop(series: Series, names: Sequence[str] = REWARDS) -> Array:
    """How far the moving average of the reward is below its own maximum; 0 while that is <= 0."""
    score = never(series)
    rewards = next((series[name] for name in names if name in series), np.empty(0))
    average = best = math.nan
    for seen, point in enumerate(np.flatnonzero(np.isfinite(rewards)), start=1):
        reward = rewards[point]
        average = reward if seen == 1 else average + EMA * (reward - average)
        if seen >= WARMUP:
            best = average if math.isnan(best) else max(best, average)
            if best > 0:
                score[point] = (1 - average / best) / (1 - DROP)
    return score


def either_drop(series: Series) -> Array:
    """The same of the reward and of what right and well-formed answers are paid, whichever has lost
    the most."""
    return np.maximum.reduce([reward_drop(series, names) for names in (REWARDS, *zip(PARTS))])


def three_sigma(series: Series) -> Array:
    """The furthest of all signals from the mean of its past, in three standard deviations."""
    score = never(series)
    for values in series.values():
        finite = np.flatnonzero(np.isfinite(values))
        x = values[finite]
        count = np.arange(len(x))
        with np.errstate(all="ignore"):
            mean = np.concatenate([[np.nan], np.cumsum(x)[:-1]]) / count
            square = np.concatenate([[np.nan], np.cumsum(x**2)[:-1]]) / count
            variance = square - mean**2
            far = np.abs(x - mean) / (SIGMAS * np.sqrt(variance))
            judged = (variance > 1e-12 * square) & (count >= WARMUP)
        score[finite] = np.maximum(score[finite], np.where(judged, far, 0))
    return score


def adwin(series: Series, scale: float = 1.0) -> list[int]:
    """Points at which river's ADWIN, on every signal by itself, sees any of them drift."""
    from river.drift import ADWIN

    return _drift(lambda: ADWIN(delta=ADWIN_DELTA**scale), series)


def page_hinkley(series: Series, scale: float = 1.0) -> list[int]:
    """Points at which river's Page-Hinkley, on every signal by itself, sees any of them drift."""
    from river.drift import PageHinkley

    return _drift(lambda: PageHinkley(threshold=PAGE_HINKLEY_THRESHOLD * scale), series)


def _drift(make: Callable[[], object], series: Series) -> list[int]:
    alarms: set[int] = set()
    for values in series.values():
        detector = make()
        for point in np.flatnonzero(np.isfinite(values)):
            detector.update(float(values[point]))  # pyright: ignore[reportAttributeAccessIssue]
            if detector.drift_detected:  # pyright: ignore[reportAttributeAccessIssue]
                alarms.add(int(point))
    return sorted(alarms)


def _records(series: Series) -> int:
    return len(next(iter(series.values()), ()))


def _alarms(score: Score) -> Callable[[Series], list[int]]:
    return lambda series: beyond(score(series))


SCORES: dict[str, Score] = {
    "never": never,
    "always": always,
    "reward below 60 % of its best": reward_drop,
    "the same, or one of its parts": either_drop,
    "any signal beyond 3 sigma": three_sigma,
}
DRIFT: dict[str, Callable[[Series, float], list[int]]] = {
    "river ADWIN": adwin,
    "river Page-Hinkley": page_hinkley,
}
RULES: dict[str, Callable[[Series], list[int]]] = {
    **{name: _alarms(score) for name, score in SCORES.items()},
    "river ADWIN": adwin,
    "river Page-Hinkley": page_hinkley,
}
ON_RESIDUALS = ("river ADWIN", "river Page-Hinkley")
"""Rules that are also run on our whitened residuals."""
