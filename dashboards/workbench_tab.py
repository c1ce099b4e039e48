"""The run page's workbench: the detectors with other settings, and what they would have said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dash import Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from collapse_lab.dashboards import parts
from collapse_lab.dashboards.bench import AT_ONCE_RECORDS, MOST_RECORDS, Bench
from collapse_lab.dashboards.columns import Columns
from collapse_lab.dashboards.curves import axis_of, curve
from collapse_lab.dashboards.desk import Desk
from collapse_lab.dashboards.drawing import MOST_EVENTS, events, shade_of, shown_range, window_of
from collapse_lab.dashboards.figures import panel, upright, uprights
from collapse_lab.dashboards.page import App, Tab
from collapse_lab.dashboards.root import UnknownRun
from collapse_lab.dashboards.settings import (
    CONTROLS,
    SHIPPED,
    Change,
    Settings,
    changes,
    settings_of,
    stretches,
)
from collapse_lab.dashboards.style import PALETTES, theme_of
from collapse_lab.dashboards.view import View, control, run_link
from collapse_lab.detectors.scale import JUDGED
from collapse_lab.inert import inert
from collapse_lab.labels import REWARDS
from collapse_lab.records import Alarm

POLL_MS = 700
HEIGHT = 170
CONFIG: Any = {"displayModeBar": False, "responsive": True, "doubleClick": False, "showTips": False,
               "staticPlot": False}  # fmt: skip
ALPHAS = {"": "5 %, as shipped", "0.2": "20 %", "0.1": "10 %", "0.02": "2 %", "0.01": "1 %",
          "0.001": "0.1 %"}  # fmt: skip
LIMITS = {"": "as shipped", "0.5": "half", "0.75": "\u00be", "1.5": "1.5 \u00d7", "2": "2 \u00d7",
          "4": "4 \u00d7"}  # fmt: skip
KINDS = {
    "same": "as before",
    "gone": "no longer raised",
    "new": "new",
    "moved": "at another step",
    "tier": "in another tier",
}
MOST_ROWS, MOST_TEXT = 60, 300
FILE = "calibration.json"


def layout(desk: Desk, name: str, view: View) -> Any:
    columns = desk.columns(name)
    if not columns.rows:
        return parts.empty("No step has been recorded yet", "There is nothing to judge.")
    return html.Div(
        [
            html.P(
                "The detectors run over this run again, as if it were live, with what you set "
                "here. Nothing changes outside of this page until you use the file.",
                className="muted intro",
            ),
            html.Div(
                [
                    parts.chips("alpha", ALPHAS, view, "Alarm tier, false alarms"),
                    parts.chips("reward-limit", LIMITS, view, "Fall of the reward, limit"),
                    parts.chips("watch-limit", LIMITS, view, "Watch tier, limit"),
                    _mute(columns, view),
                    _expect(view),
                ],
                className="bench-controls",
            ),
            html.P(id="workbench-state", className="bench-state", role="status"),
            dcc.Interval(id="workbench-poll", interval=POLL_MS, disabled=True),
            dcc.Store(id="workbench-shown"),
            html.Div(id="workbench-found"),
            html.Div(
                [
                    html.Button("Save as calibration file", id="workbench-save",
                                className="button"),
                    html.Span(
                        ["for ", html.Code(f"collapse-lab watch --calibration {FILE} -- ...")],
                        className="muted",
                    ),
                ],
                className="toolbar slim",
            ),
            dcc.Download(id="workbench-file"),
        ],
        className="workbench",
    )  # fmt: skip


def _mute(columns: Columns, view: View) -> Any:
    judged = [name for name in columns.names if name in JUDGED]
    muted = [name for name in view.get("mute", "").split(",") if name in judged]
    return html.Div(
        [
            html.Label("Mute signals", className="label", htmlFor=_html_id(control("mute"))),
            dcc.Dropdown(
                judged, muted, multi=True, id=control("mute"),
                placeholder=f"all {len(judged)} are judged", className="mute",
            ),
        ],
        className="control",
    )  # fmt: skip


def _html_id(name: dict[str, str]) -> str:
    """As Dash writes the id of a component whose id is a dict."""
    return json.dumps(name, sort_keys=True, separators=(",", ":"))


def _expect(view: View) -> Any:
    return html.Label(
        [
            html.Span("Changes expected at steps", className="label"),
            html.Div(parts.field("expect", view, "such as 100-150, 300"), className="search"),
        ],
        className="control",
    )


def callbacks(app: App, desk: Desk) -> None:
    bench = Bench()

    @app.callback(
        Output("workbench-found", "children"),
        Output("workbench-state", "children"),
        Output("workbench-poll", "disabled"),
        Output("workbench-shown", "data"),
        Input("view", "data"),
        Input("theme", "data"),
        Input("workbench-poll", "n_intervals"),
        State("workbench-shown", "data"),
        State("run", "data"),
    )
    def show(view: View | None, theme: str | None, polls: int | None, shown: Any, name: str) -> Any:
        if view is None or theme is None:
            raise PreventUpdate
        try:
            settings, rows = settings_of(view), desk.columns(name).rows
            state = [repr(settings), theme]
            if state == shown:
                raise PreventUpdate
            folder = desk.folder(name)
            before = bench.alarms(folder, rows, SHIPPED)
            after = bench.alarms(folder, rows, settings)
            if before is None or after is None:
                return [], _waiting(rows), False, None
            found = _found(desk, name, settings, before, after, theme)
        except UnknownRun:
            raise PreventUpdate from None
        told = [*_told(rows, settings, before, after, view), " ", _charts_link(name, view)]
        return found, told, True, state

    @app.callback(
        Output("workbench-file", "data"),
        Input("workbench-save", "n_clicks"),
        State("view", "data"),
        prevent_initial_call=True,
    )
    def save(clicks: int | None, view: View) -> Any:
        if not clicks:
            raise PreventUpdate
        return {"content": settings_of(view).calibration().to_json(), "filename": FILE}


def _charts_link(name: str, view: View) -> Any:
    """To the signals, with the detector's charts under these settings."""
    kept = {key: view[key] for key in CONTROLS if view.get(key)}
    return dcc.Link("The detector's charts", href=run_link(name, charts="on", **kept))


def _waiting(rows: int) -> str:
    return f"Judging {min(rows, MOST_RECORDS):,} records again: about {_seconds(rows)} s."


def _seconds(rows: int) -> int:
    """Reading and judging take about a millisecond a record, and a process a moment to start."""
    return 2 + min(rows, MOST_RECORDS) // 1000


def _told(
    rows: int, settings: Settings, before: Sequence[Alarm], after: Sequence[Alarm], view: View
) -> list[Any]:
    said: list[Any] = []
    if settings == SHIPPED:
        said.append(f"As shipped: {_count(before)}.")
    else:
        said.append(f"As shipped {_count(before)}, with your settings {_count(after)}.")
        said.append(f" {_first(before, after)}")
    if rows > MOST_RECORDS:
        said.append(
            f" Only the first {MOST_RECORDS:,} of the {rows:,} records are judged here; the file "
            "works for all."
        )
    elif rows > AT_ONCE_RECORDS:
        said.append(f" {rows:,} records were judged.")
    _, wrong = stretches(view.get("expect", ""))
    if wrong:
        text = ", ".join(inert(part, 40) for part in wrong[:3])
        said.append(html.Strong(f" Not a stretch of steps: {text}. Write 100-150, or 300."))
    return said


def _count(alarms: Sequence[Alarm]) -> str:
    firm = sum(alarm.severity != "watch" for alarm in alarms)
    watch = len(alarms) - firm
    text = f"{firm} alarm{'s' * (firm != 1)}"
    return text + f" and {watch} notice{'s' * (watch != 1)}" * bool(watch)


def _first(before: Sequence[Alarm], after: Sequence[Alarm]) -> str:
    """How much earlier or later the first firm alarm comes."""
    first = [next((a.step for a in one if a.severity != "watch"), None) for one in (before, after)]
    old, new = first
    if old is None or new is None:
        if old == new:
            return ""
        return (
            f"The first alarm would be at step {new:,}." if new is not None else "No alarm is left."
        )
    if old == new:
        return f"The first alarm stays at step {old:,}."
    moved = f"{abs(new - old):,} step{'s' * (abs(new - old) != 1)}"
    return f"The first alarm comes {moved} {'later' if new > old else 'earlier'}, at {new:,}."


def _found(
    desk: Desk,
    name: str,
    settings: Settings,
    before: Sequence[Alarm],
    after: Sequence[Alarm],
    theme: str,
) -> list[Any]:
    columns = desk.columns(name)
    reward = next((signal for signal in REWARDS if signal in columns.names), None)
    drawn: list[Any] = []
    if reward is not None:
        figure = _figure(columns, reward, settings, before, after, theme)
        drawn.append(
            html.Figure(
                [
                    html.Figcaption([html.Span(reward, className="signal"), _legend()]),
                    dcc.Graph(figure=figure, config=CONFIG, style={"height": f"{HEIGHT}px"}),
                ],
                className="panel bench-panel",
                **parts.aria(label=f"{reward} with the alarms of both settings"),
            )
        )
    return [*drawn, _table(changes(before, after), settings == SHIPPED)]


def _figure(
    columns: Columns,
    reward: str,
    settings: Settings,
    before: Sequence[Alarm],
    after: Sequence[Alarm],
    theme: str,
) -> dict[str, Any]:
    """The reward; the alarms as shipped on the lower half, a person's on the upper one."""
    colours = PALETTES[theme_of(theme)]
    window = window_of({}, ())
    x = axis_of(columns, window)
    drawn = curve(x, columns.read([reward])[reward], window)
    shapes: list[dict[str, Any]] = [
        upright(low, high, colours.band) for low, high in settings.expected
    ]
    for alarms, ends in ((before, (0, 0.47)), (after, (0.53, 1))):
        shades = [shade_of(columns, x, alarm) for alarm in alarms[:MOST_EVENTS]]
        shapes += [
            shape | {"y0": ends[0], "y1": ends[1]}
            for shape in uprights(colours, shades, since=False)
            if shape["line"].get("color") != colours.healthy
        ]
    figure = panel(reward, drawn, theme, shown_range(x, window), (), events(columns, x))
    figure["layout"]["shapes"] += shapes
    figure["layout"]["height"] = HEIGHT
    return figure


def _legend() -> Any:
    return html.Span(
        "upper half: alarms with your settings; lower half: as shipped", className="meaning"
    )


def _table(rows: Sequence[Change], shipped: bool) -> Any:
    if not rows:
        return html.P("Neither raises anything on this run.", className="muted")
    heads = ["As shipped"] if shipped else ["As shipped", "With your settings", "Change"]
    return html.Div(
        html.Table(
            [
                html.Thead(html.Tr([html.Th(head, scope="col") for head in (*heads, "Reason")])),
                html.Tbody([_row(row, shipped) for row in rows[:MOST_ROWS]]),
            ]
        ),
        className="bench-table",
        tabIndex="0",
    )


def _row(row: Change, shipped: bool) -> Any:
    alarm = row.after or row.before
    assert alarm is not None
    reason = [html.Div(inert(alarm.message, MOST_TEXT))]
    fresh = set(alarm.notes) - set(row.before.notes if row.before else ())
    reason += [html.Div(inert(note, MOST_TEXT), className="muted") for note in sorted(fresh)]
    cells = [_alarm(row.before)]
    if not shipped:
        cells += [_alarm(row.after), html.Td(KINDS[row.kind], className=f"kind {row.kind}")]
    return html.Tr([*cells, html.Td(reason, className="reason")], className=row.kind)


def _alarm(alarm: Alarm | None) -> Any:
    if alarm is None:
        return html.Td("\u2013", className="muted")
    where = html.Span(f"step {alarm.step:,}", className="at")
    return html.Td([parts.badge(alarm.severity), where, html.Div(alarm.detector)], className="told")


TAB = Tab("workbench", "Workbench", layout, callbacks)
