"""Figures of the importance ratio, as plain dicts: its histogram over the steps, the shape of its
tail, and where the divergence lies. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from collapse_lab.dashboards.columns import Column, Floats
from collapse_lab.dashboards.curves import Window, curve
from collapse_lab.dashboards.figures import Event, Shade, panel, uprights, vertical_axis
from collapse_lab.dashboards.histories import Heat
from collapse_lab.dashboards.style import PALETTES, Theme, layout, packed, theme_of
from collapse_lab.signals import Bins

HEAT_HEIGHT, QUADRANT_HEIGHT = 270, 190
KHAT_LIMIT, ESS_LIMIT = 0.7, 0.1
"""Weights are unreliable beyond these (Vehtari et al. 2024; `rules.UnreliableWeights`)."""
COLOURS: dict[Theme, tuple[str, ...]] = {
    "light": ("#e4f6fa", "#a5def2", "#6bc2e9", "#3ba4db", "#2084c3", "#2266a2", "#274978",
              "#243149", "#171a24"),
    "dark": ("#1a1f2e", "#0e375c", "#005780", "#007b93", "#009d92", "#00ba85", "#74d07e",
             "#c2e28d", "#f9f6b7"),
}  # fmt: skip
"""From a share of LEAST_SHARE to 1 in even steps of its logarithm, and of OKLab lightness."""
LEAST_SHARE = 1e-4
QUADRANTS = {
    "neg_low": ("A < 0, w < 1", "#c8501e", "#f08237"),
    "neg_high": ("A < 0, w > 1", "#f3b48c", "#8a4a1f"),
    "pos_low": ("A > 0, w < 1", "#9ccbe8", "#1f5a80"),
    "pos_high": ("A > 0, w > 1", "#0072b2", "#56b4e9"),
}
"""By the sign of the advantage and the side of the ratio: what it is, and its colours (light,
dark). Strong where the token moves the way that its advantage asks for."""
MOST_BARS = 480


@dataclass(frozen=True, slots=True)
class Scene:
    """What all panels of the tab share: rows' `x`, the window, and what happened."""

    x: Floats
    steps: Floats
    window: Window
    x_range: tuple[float, float] | None
    shades: Sequence[Shade]
    events: Sequence[Event]
    theme: str | None

    def at(self, steps: Floats) -> Floats:
        """Where steps stand on the axis."""
        if not len(self.x):
            return steps
        return self.x[np.searchsorted(self.steps, steps).clip(max=len(self.x) - 1)]


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound of the log-ratio over x, drawn across the heat map: one y holds everywhere."""

    text: str
    x: Floats
    y: Floats
    dotted: bool = False


def position(bins: Bins, values: Floats) -> Floats:
    """Where log-ratios stand on the axis, on which every bin is as high as the next.

    Bin k lies between k - 1 and k; what is beyond the edges stands in the open bins' middle.
    """
    edges = np.array(bins.edges)
    inside = np.interp(values, edges, np.arange(len(edges)))
    outside = np.where(values > edges[-1], 0.5, np.where(values < edges[0], -0.5, 0.0))
    return inside + outside


def heat_map(
    bins: Bins,
    heat: Heat | None,
    quantiles: Mapping[str, Column],
    bounds: Sequence[Bound],
    scene: Scene,
) -> dict[str, Any]:
    """`quantiles` are recorded ones by what they are; without a `heat` they are all there is."""
    colours = PALETTES[theme_of(scene.theme)]
    drawn = {text: curve(scene.x, column, scene.window) for text, column in quantiles.items()}
    low, high = _rows(bins, heat, drawn.values(), bounds)
    traces: list[dict[str, Any]] = []
    if heat is not None and len(heat.first_T):
        traces.append(_cells(bins, heat, low, high, scene))
    for text, quantile in drawn.items():
        traces.append(
            {
                "type": "scatter", "mode": "lines", "x": packed(quantile.x),
                "y": packed(position(bins, quantile.y)), "customdata": packed(quantile.y),
                "line": {"color": colours.text, "width": 1.6 if "0.5" in text else 0.9},
                "opacity": 0.8, "hoverinfo": "skip" if heat is not None else "all",
                "hovertemplate": None if heat is not None else
                f"{text}: <b>%{{customdata:.3g}}</b><extra></extra>",
            }
        )  # fmt: skip
    annotations: list[dict[str, Any]] = []
    for bound in bounds:
        y = position(bins, bound.y)
        x = bound.x if len(bound.x) else np.array(scene.x_range or (0.0, 1.0))
        traces.append(
            {
                "type": "scatter", "mode": "lines", "x": packed(x), "hoverinfo": "skip",
                "y": packed(np.broadcast_to(y, x.shape)),
                "line": {"color": colours.critical, "width": 1.5,
                         "dash": "dot" if bound.dotted else "6px,3px"},
            }
        )  # fmt: skip
        annotations.append(
            {
                "text": bound.text, "showarrow": False, "xref": "paper", "x": 1, "y": float(y[-1]),
                "xanchor": "right", "yanchor": "bottom" if bound.y[-1] >= 0 else "top",
                "font": {"size": 11, "color": colours.critical}, "bgcolor": colours.surface,
                "borderpad": 1, "opacity": 0.9,
            }
        )  # fmt: skip
    values, places = _ticks(bins, low, high)
    return {
        "data": traces,
        "layout": layout(
            scene.theme,
            height=HEAT_HEIGHT,
            shapes=uprights(colours, scene.shades, scene.events, since=False, layer="above"),
            annotations=annotations,
            xaxis={"range": list(scene.x_range)} if scene.x_range else {"autorange": True},
            yaxis={"range": [low, high], "tickvals": places, "ticktext": values,
                   "fixedrange": True, "showgrid": heat is None},
            hovermode="closest" if heat is not None else "x",
            dragmode="zoom",
        ),
    }  # fmt: skip


def _rows(
    bins: Bins, heat: Heat | None, curves: Any, bounds: Sequence[Bound]
) -> tuple[float, float]:
    """The ends of the y axis: all that holds any mass or line, and a little more."""
    marks = [position(bins, np.array([0.0]))]
    marks += [position(bins, part.y) for part in curves]
    marks += [position(bins, bound.y) for bound in bounds]
    if heat is not None and len(heat.first_T):
        used = np.flatnonzero(np.nansum(heat.share_TK, 0) > 0)
        marks.append(np.array([used[0] - 1, used[-1]], float) if len(used) else np.zeros(0))
    known = np.concatenate(marks)
    known = known[np.isfinite(known)]
    return float(known.min()) - 2, float(known.max()) + 2


def _cells(bins: Bins, heat: Heat, low: float, high: float, scene: Scene) -> dict[str, Any]:
    first = max(math.floor(low) + 1, 0)
    end = min(math.ceil(high) + 1, len(bins.edges) + 1)
    share_KT = heat.share_TK[:, first:end].T
    edges, columns = spread(scene.at(heat.first_T), scene.at(heat.last_T))
    z = np.full((end - first, len(columns)), np.nan)
    kept = columns >= 0
    z[:, kept] = np.where(share_KT > 0, share_KT, np.nan)[:, columns[kept]]
    middles = np.convolve([bins.edges[0], *bins.edges, bins.edges[-1]], [0.5, 0.5], "valid")
    at = np.repeat(middles[first:end, None], len(columns), axis=1)
    return {
        "type": "heatmap", "x": packed(edges), "y": list(range(first - 1, end)),
        "z": _table(z), "customdata": _table(at), "zmin": 0, "zmax": 1, "showscale": False,
        "colorscale": colour_scale(theme_of(scene.theme)), "hoverongaps": False,
        "hovertemplate": "%{x:,}<br>log-ratio about %{customdata:.3g}: <b>%{z:.3~%}</b>"
        "<extra></extra>",
    }  # fmt: skip


def spread(first: Floats, last: Floats) -> tuple[Floats, Any]:
    """Cells side by side: their edges on x, and for each the bucket in it, -1 where there is none.

    >>> edges, columns = spread(np.array([0.0, 1.0, 9.0]), np.array([0.0, 1.0, 9.0]))
    >>> edges.tolist(), columns.tolist()
    ([-0.5, 0.5, 1.5, 8.5, 9.5], [0, 1, -1, 2])
    """
    apart = first[1:] - last[:-1]
    usual = float(np.min(apart[apart > 0], initial=np.inf))
    half = usual / 2 if math.isfinite(usual) else 0.5
    edges, columns = [float(first[0]) - half], [0]
    for bucket, gap in enumerate(apart.tolist(), 1):
        if gap > 3 * usual:
            edges += [float(last[bucket - 1]) + half, float(first[bucket]) - half]
            columns += [-1, bucket]
        else:
            edges.append(float(last[bucket - 1]) + gap / 2)
            columns.append(bucket)
    return np.array([*edges, float(last[-1]) + half]), np.array(columns)


def colour_scale(theme: Theme) -> list[list[Any]]:
    """plotly's scale from a share of 0 to 1, even in the logarithm."""
    stops = COLOURS[theme]
    shares = LEAST_SHARE ** (1 - np.arange(len(stops)) / (len(stops) - 1))
    return [[0.0, stops[0]], *([float(s), colour] for s, colour in zip(shares, stops, strict=True))]


def _ticks(bins: Bins, low: float, high: float) -> tuple[list[str], list[float]]:
    """Round log-ratios that stand far enough from each other: zero and powers of ten first."""
    most = math.floor(math.log10(bins.edges[-1]))
    powers = [10.0**power for power in range(most, most - 6, -1)]
    candidates = [0.0, *powers, *(3 * power for power in powers)]
    taken: dict[float, float] = {}
    for value in itertools.chain.from_iterable((one, -one) for one in candidates):
        place = float(position(bins, np.array([value]))[0])
        if low <= place <= high and all(
            abs(place - other) >= (high - low) / 11 for other in taken.values()
        ):
            taken[value] = place
    return [f"{value:g}".replace("-", "\u2212") for value in taken], list(taken.values())


def tail_shape(signal: str, khat: Column, median: Column | None, scene: Scene) -> dict[str, Any]:
    """k-hat with its median over five steps, and the line above which weights are unreliable."""
    colours = PALETTES[theme_of(scene.theme)]
    drawn = curve(scene.x, khat, replace(scene.window, smoothing=0.0))
    if median is not None:
        rows = min(len(scene.x), len(median.values))
        smooth = np.interp(drawn.x, scene.x[:rows], median.values[:rows])
        drawn = replace(drawn, smooth=smooth)
    figure = panel(signal, drawn, scene.theme, scene.x_range, scene.shades, scene.events)
    low, high = drawn.span or (0.0, 1.0)
    reach = min(low, 0.0), max(high, KHAT_LIMIT + 0.15)
    figure["layout"]["yaxis"] |= vertical_axis(reach, log=False)
    figure["layout"]["shapes"].append(_level(KHAT_LIMIT, colours.critical))
    return figure


def effective_sample(signal: str, ess: Column, scene: Scene) -> dict[str, Any]:
    """The effective sample size, a share, on a scale from 0 to 1."""
    colours = PALETTES[theme_of(scene.theme)]
    drawn = curve(scene.x, ess, scene.window)
    figure = panel(signal, drawn, scene.theme, scene.x_range, scene.shades, scene.events)
    figure["layout"]["yaxis"] |= {"range": [0, 1.04], "tickvals": [0, 0.25, 0.5, 0.75, 1]}
    figure["layout"]["shapes"].append(_level(ESS_LIMIT, colours.critical))
    return figure


def _level(y: float, colour: str) -> dict[str, Any]:
    return {
        "type": "line", "xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": y, "y1": y,
        "line": {"color": colour, "width": 1.2, "dash": "6px,3px"}, "layer": "below",
    }  # fmt: skip


def quadrants(shares: Mapping[str, Column], scene: Scene) -> dict[str, Any]:
    """The shares of the divergence by quadrant, stacked; a bar is the mean of its rows.

    `shares` by a key of QUADRANTS. What is not finite is a mark at the foot.
    """
    colours = PALETTES[theme_of(scene.theme)]
    dark = theme_of(scene.theme) == "dark"
    window = scene.window
    inside = np.flatnonzero((scene.x >= window.low) & (scene.x <= window.high))
    groups = np.array_split(inside, min(MOST_BARS, len(inside))) if len(inside) else []
    x = scene.x
    first = np.array([x[group[0]] for group in groups])
    last = np.array([x[group[-1]] for group in groups])
    edges, buckets = spread(first, last) if groups else (np.zeros(1), np.zeros(0, int))
    kept = buckets >= 0
    left, width = edges[:-1][kept], np.diff(edges)[kept]
    traces: list[dict[str, Any]] = []
    broken: set[float] = set()
    for key, (text, light_colour, dark_colour) in QUADRANTS.items():
        column = shares.get(key)
        if column is None:
            continue
        means = [_mean(column, group) for group in groups]
        broken |= set(x[inside][column.present[inside] & ~column.finite[inside]].tolist())
        traces.append(
            {
                "type": "bar", "x": packed(left + width / 2), "y": packed(np.array(means)),
                "width": packed(width), "name": text,
                "marker": {"color": dark_colour if dark else light_colour, "line": {"width": 0}},
                "hovertemplate": f"{text}: <b>%{{y:.1%}}</b><extra></extra>",
            }
        )  # fmt: skip
    traces.append(
        {
            "type": "scatter", "mode": "markers", "x": sorted(broken), "y": [0.03] * len(broken),
            "marker": {"symbol": "x-thin-open", "size": 8,
                       "line": {"width": 1.8, "color": colours.critical}},
            "hovertemplate": "%{x:,}: NaN<extra></extra>",
        }
    )  # fmt: skip
    return {
        "data": traces,
        "layout": layout(
            scene.theme,
            height=QUADRANT_HEIGHT,
            barmode="stack",
            bargap=0,
            shapes=uprights(colours, scene.shades, scene.events, since=False, layer="above"),
            xaxis={"range": list(scene.x_range)} if scene.x_range else {"autorange": True},
            yaxis={"range": [0, 1], "tickformat": ".0%", "nticks": 5, "fixedrange": True},
            hovermode="x unified",
            dragmode="zoom",
        ),
    }


def _mean(column: Column, rows: Any) -> float:
    finite = rows[column.finite[rows]]
    return float(column.values[finite].mean()) if len(finite) else math.nan


def median_of_five(khat: Column) -> Column:
    """What `ratio/khat_median` is, for runs that do not record it."""
    padded = np.concatenate([np.full(4, np.nan), np.where(khat.finite, khat.values, np.nan)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, 5)
    known = np.isfinite(windows).any(1)
    medians = np.full(len(windows), np.nan)
    medians[known] = np.nanmedian(windows[known], axis=1)
    return Column(medians, np.isfinite(medians))


def _table(values: Floats) -> dict[str, str]:
    """A matrix as plotly's typed array."""
    return packed(values) | {"shape": f"{values.shape[0]}, {values.shape[1]}"}
