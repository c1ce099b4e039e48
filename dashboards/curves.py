"""A column as what is drawn: few enough points that keep every extreme, and marks for the rest.

NaN, +inf, -inf and missing are not drawn as a line: each is a mark of its own on the axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from collapse_lab.dashboards.columns import Column, Columns, Floats

Axis = Literal["step", "tokens", "time", "event"]
AXES: tuple[Axis, ...] = ("step", "tokens", "time", "event")
TOKENS = "time/tokens"
MOST_MARKS = 400
WIDEST_GAP = 1.5
"""A signal is missing where it is silent for longer than so many of its usual distances."""


@dataclass(frozen=True, slots=True)
class Window:
    """What part of a run is asked for, on which axis; open ends are infinite.

    `event` is the step that is 0 on the axis "event". `points` bounds each line, `smoothing` in
    [0, 1) is the weight of the past in the exponential mean.
    """

    axis: Axis = "step"
    low: float = -np.inf
    high: float = np.inf
    event: int = 0
    points: int = 1000
    smoothing: float = 0.0


@dataclass(frozen=True, slots=True)
class Curve:
    """`y` and `smooth` over `x` in axis units, NaN where the pen lifts. `marks` by kind; `gaps`
    are the stretches in which a signal that was there was not logged. `span` is (least, largest)
    of all finite values in the window, and `last` the latest value, finite or not."""

    x: Floats
    y: Floats
    smooth: Floats | None
    nan: Floats
    above: Floats
    below: Floats
    gaps: list[tuple[float, float]]
    span: tuple[float, float] | None
    last: float | None


def axis_of(columns: Columns, window: Window) -> Floats:
    """The x of every row, never going back; the step where the axis asked for is not logged."""
    steps = columns.steps.astype(np.float64)
    if window.axis == "event":
        return steps - window.event
    if window.axis == "time":
        times = columns.times[: len(steps)]
        known = np.isfinite(times)
        if known.sum() >= 2:
            hours = (times - times[known].min()) / 3600
            return np.maximum.accumulate(_filled(hours))
    if window.axis == "tokens":
        tokens = columns.read([TOKENS]).get(TOKENS)
        if tokens is not None and tokens.finite.sum() >= 2:
            values = np.where(tokens.finite, tokens.values, np.nan)[: len(steps)]
            return np.maximum.accumulate(_filled(values))
    return steps


def curve(x: Floats, column: Column, window: Window) -> Curve:
    """One signal in a window."""
    rows = min(len(x), len(column.values))
    x, values, present = x[:rows], column.values[:rows], column.present[:rows]
    first = max(int(np.searchsorted(x, window.low, "left")) - 1, 0)
    end = min(int(np.searchsorted(x, window.high, "right")) + 1, rows)
    smooth = _smoothed(values[:end], present[:end], window.smoothing)
    inside = slice(first, end)
    x, values, present = x[inside], values[inside], present[inside]
    broken = present & ~np.isfinite(values)
    gaps = _gaps(x, present, live_end=end == rows)
    everywhere = bool(present.all()) and not broken.any()
    at = None if everywhere else np.flatnonzero(present & ~broken)
    known_x, known = (x, values) if at is None else (x[at], values[at])
    chosen = _extremes(known_x, known, window.points)
    picked = chosen if at is None else at[chosen]
    lifts = _lifts(picked, np.flatnonzero(broken), x, gaps)
    odd, odd_x = values[broken], x[broken]
    return Curve(
        x=np.insert(x[picked], lifts, np.nan),
        y=np.insert(values[picked], lifts, np.nan),
        smooth=None if smooth is None else np.insert(smooth[inside][picked], lifts, np.nan),
        nan=_thinned(odd_x[np.isnan(odd)]),
        above=_thinned(odd_x[odd == np.inf]),
        below=_thinned(odd_x[odd == -np.inf]),
        gaps=gaps,
        span=(float(known.min()), float(known.max())) if len(known) else None,
        last=_last(values, present),
    )


def together(curves: Sequence[Curve]) -> Curve:
    """Several as one whose pen lifts between them."""
    first, *others = curves
    for other in others:
        spans = [one for one in (first.span, other.span) if one is not None]
        first = replace(
            first,
            x=np.concatenate([first.x, [np.nan], other.x]),
            y=np.concatenate([first.y, [np.nan], other.y]),
            nan=np.concatenate([first.nan, other.nan]),
            above=np.concatenate([first.above, other.above]),
            below=np.concatenate([first.below, other.below]),
            span=(min(low for low, _ in spans), max(high for _, high in spans)) if spans else None,
        )
    return first


def _extremes(x: Floats, y: Floats, points: int) -> NDArray[np.intp]:
    """Indices of at most `points` points that keep the extremes of every stretch."""
    if len(x) <= points:
        return np.arange(len(x))
    from tsdownsample import MinMaxLTTBDownsampler

    downsampler: Any = MinMaxLTTBDownsampler()
    picked = downsampler.downsample(np.ascontiguousarray(x), np.ascontiguousarray(y), n_out=points)
    ends = (np.argmin(y), np.argmax(y))  # the largest-triangle pass may drop a lone spike
    return np.union1d(picked, ends).astype(np.intp)


def _smoothed(values: Floats, present: NDArray[np.bool_], weight: float) -> Floats | None:
    """Exponential mean of the finite values, from the run's first row on."""
    if not weight:
        return None
    import polars as pl

    finite = present & np.isfinite(values)
    series = pl.Series(values)
    if not finite.all():
        series = series.set(pl.Series(~finite), None)
    mean = series.ewm_mean(alpha=1 - weight, adjust=False, ignore_nulls=True)
    return mean.fill_null(float("nan")).to_numpy()


def _lifts(
    picked: NDArray[np.intp],
    broken: NDArray[np.intp],
    x: Floats,
    gaps: list[tuple[float, float]],
) -> NDArray[np.intp]:
    """Before which of the picked points the pen lifts: something is broken or missing between."""
    passed = np.searchsorted(broken, picked)
    if gaps:
        passed = passed + np.searchsorted([low for low, _ in gaps], x[picked], "left")
    return np.flatnonzero(np.diff(passed)) + 1


def _last(values: Floats, present: NDArray[np.bool_]) -> float | None:
    """The latest value, finite or not."""
    for row in range(len(values) - 1, -1, -1):
        if present[row]:
            return float(values[row])
    return None


def _gaps(x: Floats, present: NDArray[np.bool_], live_end: bool) -> list[tuple[float, float]]:
    """Stretches where the signal has been logged before and is silent for longer than usual."""
    if present.all():
        return []
    at = np.flatnonzero(present)
    if len(at) < 3:
        return []
    distances = np.diff(at)
    usual = max(float(np.median(distances)), 1.0)
    wide = np.flatnonzero(distances > WIDEST_GAP * usual)
    if len(wide) > MOST_MARKS:  # irregular by nature: then silence is no event
        return []
    gaps = [(float(x[at[k]]), float(x[at[k + 1]])) for k in wide]
    if live_end and len(x) - 1 - at[-1] > WIDEST_GAP * usual:
        gaps.append((float(x[at[-1]]), float(x[-1])))
    return gaps


def _thinned(x: Floats) -> Floats:
    """At most MOST_MARKS marks, evenly over those that there are."""
    if len(x) <= MOST_MARKS:
        return x
    return x[np.linspace(0, len(x) - 1, MOST_MARKS).astype(np.intp)]


def _filled(values: Floats) -> Floats:
    """NaN replaced by the last number before it, the first ones by the first number."""
    at = np.where(np.isfinite(values), np.arange(len(values)), -1)
    last = np.maximum.accumulate(at)
    return values[np.where(last < 0, np.argmax(at >= 0), last)]
