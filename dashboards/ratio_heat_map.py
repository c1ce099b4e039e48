"""The heat map of the importance ratio: how its whole distribution moves over the steps. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from collapse_lab.dashboards.columns import Column, Floats
from collapse_lab.dashboards.curves import curve
from collapse_lab.dashboards.histories import Heat
from collapse_lab.dashboards.ratio_scene import Scene, spread
from collapse_lab.dashboards.style import PALETTES, Theme, layout, packed, theme_of
from collapse_lab.dashboards.uprights import uprights
from collapse_lab.signals import Bins

HEAT_HEIGHT = 270
COLOURS: dict[Theme, tuple[str, ...]] = {
    "light": ("#e4f6fa", "#a5def2", "#6bc2e9", "#3ba4db", "#2084c3", "#2266a2", "#274978",
              "#243149", "#171a24"),
    "dark": ("#1a1f2e", "#0e375c", "#005780", "#007b93", "#009d92", "#00ba85", "#74d07e",
             "#c2e28d", "#f9f6b7"),
}  # fmt: skip
"""From a share of LEAST_SHARE to 1 in even steps of its logarithm, and of OKLab lightness."""
LEAST_SHARE = 1e-4


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


def _table(values: Floats) -> dict[str, str]:
    """A matrix as plotly's typed array."""
    return packed(values) | {"shape": f"{values.shape[0]}, {values.shape[1]}"}
