"""The detector's charts as plotly: a strip under a signal's panel, and a panel of the run's own.

Both are logarithmic, with the limit as a line; what is below FLOOR or LEAST lies on the ground.
Pure, like `figures`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from collapse_lab.dashboards.columns import Column
from collapse_lab.dashboards.curves import Curve
from collapse_lab.dashboards.figures import HEIGHT, listed
from collapse_lab.dashboards.style import PALETTES, Palette, layout, packed, theme_of
from collapse_lab.dashboards.uprights import Event, Shade, uprights

FLOOR, LEAST = 1.0, 0.01
"""The least CUSUM and the least e-value that are told apart from none: an e-value of 1 says
nothing yet, and below it speaks for health."""
STRIP = 6
"""The strip's place among the traces of a panel that grows."""
STRIP_HEIGHT = 44
LANE_HEIGHT = 120
AXIS = "y3"
ROOM = 30
"""Times the limit that still lie in the picture."""


def grounded(chart: Column, least: float) -> Column:
    """A chart for a logarithmic axis."""
    return replace(chart, values=np.maximum(chart.values, least))


def with_strip(
    figure: dict[str, Any], chart: Curve, limit: float, theme: str | None, growing: bool
) -> dict[str, Any]:
    """A signal's panel with its CUSUM beneath."""
    colours = PALETTES[theme_of(theme)]
    height = HEIGHT + STRIP_HEIGHT
    below = STRIP_HEIGHT / height
    shown: dict[str, Any] = figure["layout"]
    strip = _line(chart, "CUSUM", colours, growing) | {"yaxis": AXIS}
    return {
        "data": [*figure["data"][:STRIP], strip, *figure["data"][STRIP:]],
        "layout": shown
        | {
            "height": height,
            "yaxis": shown["yaxis"] | {"domain": [below + 0.05, 1]},
            "yaxis3": _axis(theme, FLOOR, limit) | {"domain": [0, below - 0.02]},
            "xaxis": shown["xaxis"] | {"anchor": AXIS},
            "shapes": [*shown["shapes"], _limit(limit, AXIS, colours)],
        },
    }


def lane(
    chart: Curve,
    limit: float,
    theme: str | None,
    x_range: tuple[float, float] | None,
    shades: Sequence[Shade],
    events: Sequence[Event],
    growing: bool,
) -> dict[str, Any]:
    """The run's e-value over its steps."""
    colours = PALETTES[theme_of(theme)]
    shapes = [*uprights(colours, shades, events), _limit(limit, "y", colours)]
    return {
        "data": [_line(chart, "e-value", colours, growing)],
        "layout": layout(
            theme,
            height=LANE_HEIGHT,
            shapes=shapes,
            xaxis={"range": list(x_range)} if x_range else {"autorange": True},
            yaxis=_axis(theme, LEAST, limit),
            hovermode="x",
            dragmode="zoom",
        ),
    }


def _line(chart: Curve, name: str, colours: Palette, growing: bool) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "lines", "connectgaps": False,
        "x": listed(chart.x) if growing else packed(chart.x),
        "y": listed(chart.y) if growing else packed(chart.y),
        "line": {"color": colours.muted, "width": 1.2},
        "hovertemplate": f"{name} %{{y:.3g}}<extra></extra>",
    }  # fmt: skip


def _axis(theme: str | None, least: float, limit: float) -> dict[str, Any]:
    """From the ground to well beyond the limit, which is the tick that matters: after an alarm that
    nobody heeds an e-value of 1e12 would leave it no room."""
    top = limit * ROOM
    ticks = [least, limit] if least == FLOOR else [least, 1.0, limit]
    return layout(theme)["yaxis"] | {
        "type": "log", "range": [math.log10(least) - 0.08, math.log10(top)], "tickvals": ticks,
        "ticktext": [f"{tick:.3g}" for tick in ticks], "fixedrange": True,
    }  # fmt: skip


def _limit(limit: float, axis: str, colours: Palette) -> dict[str, Any]:
    return {
        "type": "line", "xref": "paper", "yref": axis, "x0": 0, "x1": 1, "y0": limit,
        "y1": limit, "line": {"color": colours.alarm, "width": 1, "dash": "3px,3px"},
    }  # fmt: skip
