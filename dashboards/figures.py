"""One signal's panel as a plotly figure, a plain dict. Pure: the numbers come in, JSON goes out.

Traces of a growing panel stand in a fixed order, so that a live page can extend them: RAW, SMOOTH,
then the marks, then what earlier attempts had. Others have no empty ones, which take a browser as
long as full ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from dash import Patch

from collapse_lab.dashboards.columns import Floats
from collapse_lab.dashboards.curves import Curve
from collapse_lab.dashboards.scales import extended, joined, on_log_axis, vertical_axis
from collapse_lab.dashboards.style import PALETTES, Palette, inert, layout, packed, theme_of
from collapse_lab.dashboards.uprights import CHECKPOINT_MARK, Event, Shade, upright, uprights
from collapse_lab.records import Evidence

RAW, SMOOTH = 0, 1
HEIGHT = 150


def panel(
    signal: str,
    curve: Curve,
    theme: str | None,
    x_range: tuple[float, float] | None,
    shades: Sequence[Shade] = (),
    events: Sequence[Event] = (),
    evidence: Evidence | None = None,
    evidence_span: tuple[float, float] | None = None,
    growing: bool = False,
    earlier: Curve | None = None,
) -> dict[str, Any]:
    """`evidence_span` is where this signal had left its course, in axis units. A `growing`
    panel's numbers are lists, which can be appended to. `earlier` is what attempts have logged that
    the last one went back behind."""
    colours = PALETTES[theme_of(theme)]
    span = joined(curve.span, earlier.span if earlier else None)
    log = on_log_axis(signal, span)
    smoothed = curve.smooth is not None
    xs = listed(curve.x) if growing else packed(curve.x)
    line: dict[str, Any] = {
        "type": "scatter", "mode": "lines", "x": xs, "hoverinfo": "x+y",
        "hovertemplate": "<b>%{y:.5g}</b><extra></extra>",
    }  # fmt: skip
    few = np.count_nonzero(np.isfinite(curve.y)) <= 40
    raw = line | {
        "y": listed(curve.y) if growing else packed(curve.y),
        "mode": "lines+markers" if few else "lines",
        "marker": {"size": 4, "color": colours.line},
        "line": (
            {"color": colours.faint, "width": 1} if smoothed
            else {"color": colours.line, "width": 1.4}
        ),
    }  # fmt: skip
    if smoothed:
        raw |= {"hoverinfo": "skip", "hovertemplate": None, "mode": "lines"}
    smooth_y = curve.smooth if curve.smooth is not None else np.zeros(0)
    smooth = line | {
        "x": xs if smoothed else [],
        "y": listed(smooth_y) if growing else packed(smooth_y),
        "line": {"color": colours.line, "width": 1.8},
    }
    marks = [*_marks(curve, colours.critical), _told(events, colours)]
    if not growing:
        marks = [mark for mark in marks if mark["y"]]
    if earlier is not None:
        lost = [mark for mark in _marks(earlier, colours.muted) if mark["y"]]
        marks += [_before(earlier, colours), *lost]
    return {
        "data": [raw, *([smooth] if smoothed or growing else []), *marks],
        "layout": layout(
            theme,
            height=HEIGHT,
            shapes=_shapes(colours, shades, events, evidence, evidence_span, curve, log),
            xaxis={"range": list(x_range)} if x_range else {"autorange": True},
            yaxis=vertical_axis(extended(span, evidence, log), log, growing),
            yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
            hovermode="closest" if few else "x",
            dragmode="zoom",
        ),
    }


def appended(
    traces: Mapping[int, tuple[Floats, Floats]], x_range: tuple[float, float] | None
) -> Any:
    """A patch for a `growing` panel that appends points (x, y) to some of its traces."""
    patch: Any = Patch()
    for trace, (x, y) in traces.items():
        patch["data"][trace]["x"].extend(listed(x))
        patch["data"][trace]["y"].extend(listed(y))
    if x_range is not None:
        patch["layout"]["xaxis"]["range"] = list(x_range)
    return patch


def _marks(curve: Curve, colour: str) -> list[dict[str, Any]]:
    """NaN and the infinities as marks at the panel's edges, on an axis of their own."""
    kinds = (
        ("NaN", curve.nan, 0.03, "x-thin-open"),
        ("+inf", curve.above, 0.95, "triangle-up"),
        ("-inf", curve.below, 0.05, "triangle-down"),
    )
    return [
        {
            "type": "scatter", "mode": "markers", "x": packed(x), "y": [height] * len(x),
            "yaxis": "y2", "name": name, "hovertemplate": f"%{{x:,}}: {name}<extra></extra>",
            "marker": {
                "symbol": symbol, "size": 8, "color": colour,
                "line": {"width": 1.8, "color": colour},
            },
        }
        for name, x, height, symbol in kinds
    ]  # fmt: skip


def _told(events: Sequence[Event], colours: Palette) -> dict[str, Any]:
    """What happened, in words on a mark: of checkpoints at the foot of a panel, else at the top."""
    saved = [event.kind == CHECKPOINT_MARK for event in events]
    return {
        "type": "scatter", "mode": "markers", "x": [event.x for event in events],
        "y": [0.02 if one else 0.98 for one in saved], "yaxis": "y2",
        "text": [inert(event.text) for event in events],
        "hovertemplate": "%{x:,}: %{text}<extra></extra>",
        "marker": {
            "symbol": ["line-ns-open" if one else "triangle-down" for one in saved], "size": 7,
            "color": colours.muted, "line": {"width": 1.4, "color": colours.muted},
        },
    }  # fmt: skip


def _before(earlier: Curve, colours: Palette) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "lines", "x": packed(earlier.x), "y": packed(earlier.y),
        "line": {"color": colours.muted, "width": 1, "dash": "dot"},
        "hovertemplate": "%{y:.5g}, at an earlier attempt<extra></extra>",
    }  # fmt: skip


def _shapes(
    colours: Palette,
    shades: Sequence[Shade],
    events: Sequence[Event],
    evidence: Evidence | None,
    evidence_span: tuple[float, float] | None,
    curve: Curve,
    log: bool,
) -> list[dict[str, Any]]:
    shapes: list[dict[str, Any]] = []
    if evidence is not None and math.isfinite(evidence.low) and math.isfinite(evidence.high):
        bounds = (
            (max(evidence.low, 1e-300), evidence.high) if log else (evidence.low, evidence.high)
        )
        shapes.append(
            {
                "type": "rect", "xref": "paper", "yref": "y", "x0": 0, "x1": 1,
                "y0": bounds[0], "y1": bounds[1], "fillcolor": colours.band,
                "line": {"width": 0}, "layer": "below",
            }
        )  # fmt: skip
    if evidence_span is not None:
        shapes.append(upright(*evidence_span, colours.since))
    shapes += uprights(colours, shades, events, since=evidence_span is None)
    for low, high in curve.gaps:
        shapes.append(
            {
                "type": "line", "xref": "x", "yref": "y domain", "x0": low, "x1": high,
                "y0": 0.01, "y1": 0.01,
                "line": {"color": colours.critical, "width": 3, "dash": "2px,2px"},
            }
        )  # fmt: skip
    return shapes


def listed(values: Floats) -> list[float | None]:
    """JSON has no NaN: None is a gap."""
    return [value if math.isfinite(value) else None for value in values.tolist()]
