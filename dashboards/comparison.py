"""Several runs against each other: which, aligned where, in which groups, and what differs.

Pure functions over arrays. A group's curve is the median of its runs with the range that they
span; the healthy band is what most steps of healthy runs showed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from collapse_lab.dashboards.columns import Column, Floats
from collapse_lab.dashboards.view import View

Align = Literal["step", "alarm", "onset"]
MOST_RUNS = 60
BINS, HEALTHY_BINS = 300, 48
HEALTHY = (0.05, 0.5, 0.95)
"""Quantiles of the healthy band and its middle."""
LEAST_HEALTHY = 3
"""Healthy runs without which a band would be an anecdote."""
ABSENT = "not set"


def names_of(view: View, key: str = "runs") -> list[str]:
    """The names in a query parameter, each quoted, with commas between.

    >>> names_of({"runs": "a%2Cb,c"})
    ['a,b', 'c']
    """
    return list(dict.fromkeys(unquote(part) for part in view.get(key, "").split(",") if part))


def quoted(name: str) -> str:
    """A name as it stands in such a parameter; only what would be misread is quoted."""
    return name.replace("%", "%25").replace(",", "%2C")


def differences(settings: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    """Key -> its value in every run, in their order, of the keys that are not the same in all.

    >>> differences({"a": {"lr": "1", "seed": "0"}, "b": {"lr": "1", "seed": "1", "kl": "2"}})
    {'seed': ['0', '1'], 'kl': ['not set', '2']}
    """
    keys = dict.fromkeys(key for one in settings.values() for key in one)
    rows = {key: [one.get(key, ABSENT) for one in settings.values()] for key in keys}
    return {key: values for key, values in rows.items() if len(set(values)) > 1}


def groups(names: Sequence[str], values: Sequence[str]) -> dict[str, list[str]]:
    """Value -> the runs that have it, numbers in the order of their size.

    >>> groups(["a", "b", "c"], ["10", "9", "10"])
    {'9': ['b'], '10': ['a', 'c']}
    """
    found: dict[str, list[str]] = {}
    for name, value in zip(names, values, strict=True):
        found.setdefault(value, []).append(name)
    return dict(sorted(found.items(), key=lambda item: _order(item[0])))


def _order(value: str) -> tuple[int, float, str]:
    try:
        return 0, float(value), value
    except ValueError:
        return 1, 0.0, value


@dataclass(frozen=True, slots=True)
class Band:
    """A middle line with what lies around it, NaN where there is nothing; `count` runs at each x.
    `broken` are the x at which some run logged NaN or infinity."""

    x: Floats
    middle: Floats
    low: Floats
    high: Floats
    count: NDArray[np.intp]
    broken: Floats


def edges_of(xs: Iterable[Floats], low: float, high: float, most: int = BINS) -> Floats:
    """Bin edges over all x in [low, high]: one bin an x where there are few, else even ones."""
    parts = [x[(x >= low) & (x <= high)] for x in xs]
    every = np.unique(np.concatenate(parts)) if parts else np.zeros(0)
    if not len(every):
        return np.zeros(0)
    if len(every) <= most:
        between = (every[1:] + every[:-1]) / 2
        return np.concatenate([[every[0] - 0.5], between, [every[-1] + 0.5]])
    return _even(float(every[0]), float(every[-1]), most)


def _even(low: float, high: float, bins: int) -> Floats:
    """Edges of even bins, the last one of which holds `high`."""
    return np.linspace(low, float(np.nextafter(high, np.inf)), bins + 1, dtype=np.float64)


def group_band(runs: Sequence[tuple[Floats, Column]], edges: Floats) -> Band:
    """Median and range of some runs. Between two of its records a run counts with the line between
    them, so that runs which log at different steps can be taken together; the range holds every
    single value."""
    bins = max(len(edges) - 1, 0)
    centres = (edges[1:] + edges[:-1]) / 2 if bins else np.zeros(0)
    shape = (len(runs), bins)
    middle, low, high = (np.full(shape, np.nan) for _ in range(3))
    broken = np.zeros(bins, bool)
    for row, (x, column) in enumerate(runs):
        at, values, bad = _inside(x, column, edges)
        broken[bad] = True
        if not len(at):
            continue
        filled, first = np.unique(at, return_index=True)
        counts = np.diff(np.append(first, len(at)))
        middle[row, filled] = np.add.reduceat(values, first) / counts
        low[row, filled] = np.minimum.reduceat(values, first)
        high[row, filled] = np.maximum.reduceat(values, first)
        empty = np.flatnonzero(np.isnan(middle[row]))
        empty = empty[(empty > filled[0]) & (empty < filled[-1])]
        for line in (middle, low, high):
            line[row, empty] = np.interp(centres[empty], centres[filled], middle[row, filled])
        middle[row, bad], low[row, bad], high[row, bad] = np.nan, np.nan, np.nan
    nothing = np.full(bins, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a bin without any run stays NaN
        return Band(
            centres,
            np.nanmedian(middle, axis=0) if len(runs) else nothing,
            np.nanmin(low, axis=0) if len(runs) else nothing,
            np.nanmax(high, axis=0) if len(runs) else nothing,
            np.isfinite(middle).sum(axis=0),
            centres[broken],
        )


def healthy_band(runs: Sequence[tuple[Floats, Column]], by_step: bool = True) -> Band | None:
    """What most steps of healthy runs showed, over the steps, or at any step when not `by_step`
    (then of one bin without an x). None with fewer than LEAST_HEALTHY runs."""
    if len(runs) < LEAST_HEALTHY:
        return None
    top = max((float(x[-1]) for x, _ in runs if len(x)), default=0.0)
    edges = _even(0.0, top, HEALTHY_BINS) if by_step else np.array([-np.inf, np.inf])
    parts = [_inside(x, column, edges)[:2] for x, column in runs]
    at = np.concatenate([part[0] for part in parts])
    values = np.concatenate([part[1] for part in parts])
    bins = len(edges) - 1
    lines = np.full((3, bins), np.nan)
    count = np.zeros(bins, np.intp)
    for one in range(bins):
        count[one] = sum(bool(np.any(part[0] == one)) for part in parts)
        if count[one] >= LEAST_HEALTHY:
            lines[:, one] = np.quantile(values[at == one], HEALTHY)
    if not np.isfinite(lines).any():
        return None
    low, middle, high = lines
    centres: Floats = (edges[1:] + edges[:-1]) / 2 if by_step else np.zeros(1)
    return Band(centres, middle, low, high, count, np.zeros(0))


def _inside(
    x: Floats, column: Column, edges: Floats
) -> tuple[NDArray[np.intp], Floats, NDArray[np.intp]]:
    """(bin, value) of the finite values within the edges, in the order of the bins, and the bins
    that hold NaN or infinity."""
    rows = min(len(x), len(column.values))
    x, values, present = x[:rows], column.values[:rows], column.present[:rows]
    if len(edges) < 2:
        return np.zeros(0, np.intp), np.zeros(0), np.zeros(0, np.intp)
    at = np.searchsorted(edges, x, "right") - 1
    inside = (at >= 0) & (at < len(edges) - 1) & present
    finite = inside & np.isfinite(values)
    return at[finite], values[finite], np.unique(at[inside & ~finite])
