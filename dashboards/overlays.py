"""One signal of several runs, or groups of runs, as a plotly figure: a plain dict, and pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from collapse_lab.dashboards.columns import Floats
from collapse_lab.dashboards.comparison import Band
from collapse_lab.dashboards.curves import Curve
from collapse_lab.dashboards.scales import on_log_axis, vertical_axis
from collapse_lab.dashboards.style import PALETTES, Palette, inert, layout, packed, theme_of

HEIGHT = 210
MOST_LABEL = 48
DASHES = ("solid", "dash", "dot", "dashdot")
"""Beyond the colours of the palette the lines differ in their dashes."""


@dataclass(frozen=True, slots=True)
class Line:
    """A run: where it stands in the order of colours, its curve, and (x, y) of its first alarm."""

    name: str
    rank: int
    curve: Curve
    alarm: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Runs of one kind: the value that they share, and their band."""

    name: str
    rank: int
    runs: int
    band: Band


def overlay(
    signal: str,
    lines: Sequence[Line],
    groups: Sequence[Group],
    healthy: Band | None,
    theme: str | None,
    x_range: tuple[float, float] | None,
    zero: str = "",
) -> dict[str, Any]:
    """`zero` says what the x of 0 is, when runs are aligned there. A healthy band of one bin holds
    at every x."""
    colours = PALETTES[theme_of(theme)]
    span = _span(lines, groups)
    grey = _faded(colours.muted, 0.17)  # no run has this hue
    shapes: list[dict[str, Any]] = []
    traces: list[dict[str, Any]] = []
    if healthy is not None and len(healthy.x) == 1:
        shapes.append(_level(healthy, grey))
    elif healthy is not None:
        traces += _area(healthy, grey, "healthy")
    if zero:
        shapes.append(_zero(colours))
    for group in groups:
        traces += _group(group, colours)
    smoothed = any(line.curve.smooth is not None for line in lines)
    for line in lines:
        traces += _line(line, colours, smoothed)
    traces += [_alarm(line, colours) for line in lines if line.alarm]
    traces.append(_broken(lines, groups, colours))
    return {
        "data": traces,
        "layout": layout(
            theme,
            height=HEIGHT,
            shapes=shapes,
            xaxis={"range": list(x_range)} if x_range else {"autorange": True},
            yaxis=vertical_axis(span, on_log_axis(signal, span)),
            yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
            hovermode="closest",
            dragmode="zoom",
        ),
    }


def look(rank: int, colours: Palette) -> tuple[str, str]:
    """(colour, dash) of the run or group of this rank, the same in every panel and in the list."""
    series = colours.series
    return series[rank % len(series)], DASHES[rank // len(series) % len(DASHES)]


def label(name: str) -> str:
    """A name for a hover box, cut in its middle."""
    if len(name) > MOST_LABEL:
        name = f"{name[: MOST_LABEL // 2]}\u2026{name[-MOST_LABEL // 2 + 1 :]}"
    return inert(name)


def _line(line: Line, colours: Palette, smoothed: bool) -> list[dict[str, Any]]:
    colour, dash = look(line.rank, colours)
    curve = line.curve
    few = np.count_nonzero(np.isfinite(curve.y)) <= 40
    trace: dict[str, Any] = {
        "type": "scatter", "mode": "lines+markers" if few else "lines", "x": packed(curve.x),
        "y": packed(curve.y), "line": {"color": colour, "width": 1.5, "dash": dash},
        "marker": {"size": 4, "color": colour},
        "hovertemplate": f"<b>{label(line.name)}</b><br>%{{x:,}}: %{{y:.5g}}<extra></extra>",
    }  # fmt: skip
    if not smoothed or curve.smooth is None:
        return [trace]
    faint: dict[str, Any] = {
        "mode": "lines", "opacity": 0.22, "hoverinfo": "skip", "hovertemplate": None,
        "line": {"color": colour, "width": 1},
    }  # fmt: skip
    return [trace | faint, trace | {"y": packed(curve.smooth), "mode": "lines"}]


def _group(group: Group, colours: Palette) -> list[dict[str, Any]]:
    colour, dash = look(group.rank, colours)
    band = group.band
    name, runs = label(group.name), group.runs
    middle: dict[str, Any] = {
        "type": "scatter", "mode": "lines", "x": packed(band.x), "y": packed(band.middle),
        "customdata": np.stack([band.count, *_ends(band)], axis=1).tolist(),
        "line": {"color": colour, "width": 2.1, "dash": dash},
        "hovertemplate": f"<b>{name}</b><br>%{{x:,}}: median %{{y:.4g}}, %{{customdata[1]}} to "
        f"%{{customdata[2]}}<br>%{{customdata[0]}} of {runs} runs<extra></extra>",
    }  # fmt: skip
    return [*_area(band, _faded(colour, 0.16), group.name), middle]


def _ends(band: Band) -> tuple[list[str], list[str]]:
    low, high = ([f"{value:.4g}" for value in part.tolist()] for part in (band.low, band.high))
    return low, high


def _area(band: Band, colour: str, name: str) -> list[dict[str, Any]]:
    """The area between low and high, in pieces: a fill would close over the gaps."""
    known = np.isfinite(band.low) & np.isfinite(band.high)
    pieces = np.split(np.arange(len(known)), np.flatnonzero(np.diff(known.astype(int))) + 1)
    return [
        {
            "type": "scatter", "mode": "none", "hoverinfo": "skip", "fill": "toself",
            "fillcolor": colour, "name": inert(name),
            "x": packed(np.concatenate([band.x[piece], band.x[piece][::-1]])),
            "y": packed(np.concatenate([band.high[piece], band.low[piece][::-1]])),
        }
        for piece in pieces
        if len(piece) and known[piece[0]]
    ]  # fmt: skip


def _level(band: Band, colour: str) -> dict[str, Any]:
    return {
        "type": "rect", "xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": float(band.low[0]),
        "y1": float(band.high[0]), "fillcolor": colour, "line": {"width": 0},
        "layer": "below",
    }  # fmt: skip


def _zero(colours: Palette) -> dict[str, Any]:
    return {
        "type": "line", "xref": "x", "yref": "paper", "x0": 0, "x1": 0, "y0": 0, "y1": 1,
        "line": {"color": colours.alarm, "width": 1.4}, "layer": "below",
    }  # fmt: skip


def _alarm(line: Line, colours: Palette) -> dict[str, Any]:
    assert line.alarm is not None
    x, y = line.alarm
    colour, _ = look(line.rank, colours)
    return {
        "type": "scatter", "mode": "markers", "x": [x], "y": [y],
        "marker": {
            "symbol": "triangle-up", "size": 11, "color": colour,
            "line": {"width": 1.5, "color": colours.surface},
        },
        "hovertemplate": f"<b>{label(line.name)}</b><br>first alarm, %{{x:,}}<extra></extra>",
    }  # fmt: skip


def _broken(lines: Iterable[Line], groups: Iterable[Group], colours: Palette) -> dict[str, Any]:
    """What is NaN or infinite, at the foot of the panel in the colour of its run."""
    marks = [
        *((x, line.rank, line.name) for line in lines
          for x in itertools.chain(line.curve.nan, line.curve.above, line.curve.below)),
        *((x, group.rank, group.name) for group in groups for x in group.band.broken),
    ]  # fmt: skip
    return {
        "type": "scatter", "mode": "markers", "x": [float(x) for x, _, _ in marks],
        "y": [0.04] * len(marks), "yaxis": "y2",
        "text": [label(name) for _, _, name in marks],
        "marker": {
            "symbol": "x-thin-open", "size": 8,
            "line": {"width": 1.8, "color": [look(rank, colours)[0] for _, rank, _ in marks]},
        },
        "hovertemplate": "<b>%{text}</b><br>%{x:,}: not finite<extra></extra>",
    }  # fmt: skip


def _faded(colour: str, opacity: float) -> str:
    """
    >>> _faded("#0072b2", 0.5)
    'rgba(0,114,178,0.5)'
    """
    parts = (str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))
    return f"rgba({','.join(parts)},{opacity})"


def _span(lines: Iterable[Line], groups: Iterable[Group]) -> tuple[float, float] | None:
    """(least, largest) of what is drawn: the healthy band never squeezes the runs."""
    ends: list[float] = [end for line in lines if line.curve.span for end in line.curve.span]
    for group in groups:
        ends += _finite(group.band.low) + _finite(group.band.high)
    return (min(ends), max(ends)) if ends else None


def _finite(values: Floats) -> list[float]:
    known = values[np.isfinite(values)]
    return [float(known.min()), float(known.max())] if len(known) else []
