"""The panels of one run in one view: the same for the first paint, a zoom and a live tick."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict

import numpy as np

from collapse_lab.dashboards.attempts import counting
from collapse_lab.dashboards.chart_drawing import charted
from collapse_lab.dashboards.columns import Columns, Floats
from collapse_lab.dashboards.curves import AXES, TOKENS, Curve, Window, axis_of, curve, together
from collapse_lab.dashboards.desk import Desk
from collapse_lab.dashboards.figures import RAW, SMOOTH, appended, panel
from collapse_lab.dashboards.overwritten import Piece
from collapse_lab.dashboards.placed import MOST_EVENTS, events, shade_of, x_of
from collapse_lab.dashboards.strips import lane, with_strip
from collapse_lab.dashboards.view import View, number
from collapse_lab.records import Alarm, Evidence, told_first

POINTS = 900
X = {"step": "Step", "tokens": "Tokens", "time": "Hours", "event": "From the alarm"}


class Cursor(TypedDict):
    """The state of a run that a page shows: `rows` are drawn; since `base` they were appended."""

    rows: int
    base: int
    version: int
    alarms: int
    events: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """`figures` (whole, or as patches) and `latest` values by signal, and what they show."""

    figures: dict[str, Any]
    latest: dict[str, str]
    cursor: Cursor
    live: bool
    """Whether more may come."""


def axes_offered(columns: Columns, alarms: Sequence[Alarm]) -> dict[str, str]:
    """What a run's panels may stand over."""
    there = {"tokens": TOKENS in columns.names, "event": bool(alarms)}
    return {axis: text for axis, text in X.items() if there.get(axis, True)}


def window_of(view: View, alarms: Sequence[Alarm]) -> Window:
    """The window that a query string asks for."""
    told = told_first(alarms)
    axis = view.get("x", "step")
    return Window(
        axis=axis if axis in AXES else "step",
        low=number(view, "from", -np.inf),
        high=number(view, "to", np.inf),
        event=told.step if told else 0,
        points=POINTS,
        smoothing=min(max(number(view, "smooth", 0.0), 0.0), 0.995),
    )


def sheet(desk: Desk, name: str, view: View, theme: str | None, signals: Iterable[str]) -> Sheet:
    """Draws some of a run's signals. Raises UnknownRun."""
    everything, alarms = desk.everything(name), desk.alarms(name)
    columns = counting(everything)
    rows = columns.rows
    cursor = _cursor(columns, rows, rows, alarms)
    window = window_of(view, alarms)
    x = axis_of(columns, window)[:rows]  # others may read on meanwhile
    whole_x = axis_of(everything, window)
    asked = list(signals)
    found = columns.read(asked)
    charts = charted(desk, name, view, asked, columns, x, window)
    shades = [shade_of(everything, whole_x, alarm) for alarm in alarms[:MOST_EVENTS]]
    evidence = _evidence(alarms)
    earlier = _earlier(desk.earlier(name, everything), asked, window)
    happened = events(columns, x)
    x_range = shown_range(whole_x, window)
    figures: dict[str, dict[str, Any]] = {}
    latest: dict[str, str] = {}
    for signal, column in found.items():
        drawn = curve(x, column, window)
        part = evidence.get(signal)
        figures[signal] = panel(
            signal, drawn, theme, x_range, shades, happened,
            evidence=part[1] if part else None,
            evidence_span=_span(everything, whole_x, part) if part else None,
            growing=columns.live, earlier=earlier.get(signal),
        )  # fmt: skip
        latest[signal] = told_value(drawn)
    for signal, chart in charts.curves.items():
        if signal in found:
            figures[signal] = with_strip(
                figures[signal], chart, charts.cusum_limit, theme, columns.live
            )
        else:
            figures[signal] = lane(
                chart, charts.e_limit, theme, x_range, shades, happened, columns.live
            )
            latest[signal] = told_value(chart)
    return Sheet(figures, latest, cursor, columns.live and desk.index.summary(name).going)


def growth(
    desk: Desk, name: str, view: View, theme: str | None, signals: Sequence[str], shown: Cursor
) -> Sheet | None:
    """What has come since `shown`, as patches that append to the panels; None when nothing has.

    Drawn anew instead after a restart or another event, an alarm, the run's end, while an earlier
    attempt had come further, or when POINTS have been appended. Raises UnknownRun.
    """
    everything, alarms = desk.everything(name), desk.alarms(name)
    columns = counting(everything)
    rows = columns.rows
    cursor = _cursor(columns, rows, shown["base"], alarms)
    same = all(cursor[part] == shown[part] for part in ("version", "alarms", "events", "whole"))
    if same and rows == shown["rows"]:
        return None
    if not same or columns is not everything or rows - shown["base"] > POINTS:
        return sheet(desk, name, view, theme, signals)
    window = window_of(view, alarms)
    x = axis_of(columns, window)[:rows]
    fresh = slice(shown["rows"], len(x))
    if not np.isinf(window.high) or not len(x[fresh]):
        return None
    x_range = shown_range(x, window)
    figures: dict[str, Any] = {}
    latest: dict[str, str] = {}
    window = replace(window, low=float(x[fresh.start]), points=len(x))
    found = columns.read(signals)
    charts = charted(desk, name, view, signals, columns, x, window)
    for signal in signals:
        traces = charts.appended(signal, window.low)
        if signal in found:
            grown = curve(x, found[signal], window)
            if not _appendable(grown):
                return sheet(desk, name, view, theme, signals)
            after = grown.x >= window.low
            traces[RAW] = grown.x[after], grown.y[after]
            if grown.smooth is not None:
                traces[SMOOTH] = grown.x[after], grown.smooth[after]
            latest[signal] = told_value(grown)
        if traces:
            figures[signal] = appended(traces, x_range)
    return Sheet(figures, latest, cursor, True)


def _earlier(
    pieces: Sequence[Columns | Piece], signals: Sequence[str], window: Window
) -> dict[str, Curve]:
    """What earlier attempts have logged, by signal; on other axes they have no place."""
    if window.axis not in ("step", "event"):
        return {}
    raw = replace(window, smoothing=0.0)
    drawn: dict[str, list[Curve]] = {}
    for piece in pieces:
        x = piece.steps.astype(np.float64) - (window.event if window.axis == "event" else 0)
        for name, column in piece.read(signals).items():
            drawn.setdefault(name, []).append(curve(x, column, raw))
    return {name: together(curves) for name, curves in drawn.items()}


def _cursor(columns: Columns, rows: int, base: int, alarms: Sequence[Alarm]) -> Cursor:
    return Cursor(
        rows=rows,
        base=base,
        version=columns.version,
        alarms=len(alarms),
        events=len(columns.events),
        whole=columns.whole,
    )


def _appendable(grown: Curve) -> bool:
    """Marks and gaps are drawn with the whole panel."""
    return not (len(grown.nan) or len(grown.above) or len(grown.below) or grown.gaps)


def shown_range(x: Floats, window: Window) -> tuple[float, float] | None:
    """The x range of all panels, so that they stand under each other."""
    known = x[np.isfinite(x)]
    if not len(known):
        return None
    low = window.low if np.isfinite(window.low) else float(known[0])
    high = window.high if np.isfinite(window.high) else float(known[-1])
    pad = (high - low) * 0.01 or 0.5
    return (low, high) if np.isfinite(window.low) else (low - pad, high + pad)


def told_value(drawn: Curve) -> str:
    """The latest value, for the corner of a panel."""
    if drawn.last is None:
        return ""
    if not np.isfinite(drawn.last):
        return {np.inf: "+inf", -np.inf: "-inf"}.get(drawn.last, "NaN")
    return f"{drawn.last:.4g}"


def _evidence(alarms: Sequence[Alarm]) -> dict[str, tuple[Alarm, Evidence]]:
    """For each signal the alarm that tells most of it: the first firm one, else the first."""
    ordered = sorted(alarms, key=lambda alarm: alarm.severity == "watch")
    found: dict[str, tuple[Alarm, Evidence]] = {}
    for alarm in ordered:
        for part in alarm.evidence:
            found.setdefault(part.signal, (alarm, part))
    return found


def _span(columns: Columns, x: Floats, part: tuple[Alarm, Evidence]) -> tuple[float, float]:
    alarm, evidence = part
    return x_of(columns, x, evidence.since), x_of(columns, x, alarm.step)
