"""Which runs a score rests on: splits that keep kin together, and intervals that know of kin.

Runs of one group (same task, algorithm, framework) resemble each other, so that a hundred of them
may be worth ten. Groups are resampled first, then the runs within each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

REPETITIONS = 2000
PARTS = 4
"""Of the runs by time: three of them have something before them."""


def leave_one_out(kinds: Sequence[str]) -> Iterator[tuple[str, list[int], list[int]]]:
    """(held-out kind, indices of the other runs, indices of its runs), each kind once.

    `kinds` says of each run what must not straddle the split: its algorithm, task, framework or
    type of failure.
    """
    for kind in dict.fromkeys(kinds):
        held = [index for index, other in enumerate(kinds) if other == kind]
        rest = [index for index, other in enumerate(kinds) if other != kind]
        yield kind, rest, held


def later(times: Sequence[float], parts: int = PARTS) -> Iterator[tuple[str, list[int], list[int]]]:
    """(name, indices of the runs made before, indices of its runs) of each part but the first.

    Parts are of equally many runs in the order in which they were made, and runs of one moment are
    in one part, so that nothing is judged by what is as new. A run whose time is NaN is in none.
    """
    known = sorted(time for time in times if math.isfinite(time))
    starts = [known[len(known) * part // parts] for part in range(parts)] if known else []
    for part, start in enumerate(starts[1:], start=2):
        end = starts[part] if part < parts else math.inf
        held = [index for index, time in enumerate(times) if start <= time < end]
        if held:
            rest = [index for index, time in enumerate(times) if time < start]
            yield f"part {part} of {parts}", rest, held


def resampled(
    groups: Sequence[str], repetitions: int = REPETITIONS, seed: int = 0
) -> Iterator[NDArray[np.int64]]:
    """Indices of the runs of each repetition: groups drawn with replacement, then runs in each.

    One group says nothing of how groups differ: below two there is no repetition.
    """
    members = [np.array(held, np.int64) for _, _, held in leave_one_out(groups)]
    random = np.random.default_rng(seed)
    for _ in range(repetitions if len(members) > 1 else 0):
        groups_drawn: list[int] = random.integers(len(members), size=len(members)).tolist()
        drawn = [random.choice(members[group], len(members[group])) for group in groups_drawn]
        yield np.concatenate(drawn)


def bootstrap(
    values: NDArray[np.float64],
    groups: Sequence[str],
    repetitions: int = REPETITIONS,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Column means of (runs, measures) over resampled runs: (repetitions, measures).

    NaN marks a run that a measure is not about (a healthy one, for recall). Columns are resampled
    together, so that the difference of two is a paired comparison. A repetition in which no run is
    left for a measure is NaN there.
    """
    means = np.full((repetitions, values.shape[1]), np.nan)
    for row, drawn in enumerate(resampled(groups, repetitions, seed)):
        means[row] = _means(values[drawn])
    return means


def jackknife(values: NDArray[np.float64], groups: Sequence[str]) -> NDArray[np.float64]:
    """Column means of (runs, measures) without each group in turn: (groups, measures).

    How far they reach says how much a score hangs on one group.
    """
    means = [_means(values[rest]) for _, rest, _ in leave_one_out(groups)]
    return np.array(means, float).reshape(-1, values.shape[1])


def _means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Column means of what is known; NaN where nothing is."""
    known = np.isfinite(values)
    of = known.sum(axis=0)
    sums = np.where(known, values, 0.0).sum(axis=0)
    return np.where(of > 0, sums / np.maximum(of, 1), np.nan)


def interval(means: NDArray[np.float64], confidence: float = 0.95) -> tuple[float, float]:
    """Percentile interval of one column of `bootstrap`; (NaN, NaN) when it has no number."""
    known = means[np.isfinite(means)]
    if not known.size:
        return math.nan, math.nan
    side = 50 * (1 - confidence)
    low, high = np.percentile(known, (side, 100 - side)).tolist()
    return low, high
