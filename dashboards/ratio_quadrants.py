"""Where the divergence lies: its shares by the sign of the advantage and the side of the ratio,
stacked over the steps. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from collapse_lab.dashboards.columns import Column
from collapse_lab.dashboards.ratio_scene import Scene, spread
from collapse_lab.dashboards.style import PALETTES, layout, packed, theme_of
from collapse_lab.dashboards.uprights import uprights

QUADRANT_HEIGHT = 190
QUADRANTS = {
    "neg_low": ("A < 0, w < 1", "#c8501e", "#f08237"),
    "neg_high": ("A < 0, w > 1", "#f3b48c", "#8a4a1f"),
    "pos_low": ("A > 0, w < 1", "#9ccbe8", "#1f5a80"),
    "pos_high": ("A > 0, w > 1", "#0072b2", "#56b4e9"),
}
"""By the sign of the advantage and the side of the ratio: what it is, and its colours (light,
dark). Strong where the token moves the way that its advantage asks for."""
MOST_BARS = 480


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
