"""The run page's first tab: every signal as a small panel, all over the same x."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import ALL, ClientsideFunction, Input, Output, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from collapse_lab.dashboards import chart_controls, parts
from collapse_lab.dashboards.attempts import counting
from collapse_lab.dashboards.chart_drawing import CHARTS
from collapse_lab.dashboards.charts import E_VALUE
from collapse_lab.dashboards.desk import Desk
from collapse_lab.dashboards.drawing import Cursor, axes_offered, growth, sheet
from collapse_lab.dashboards.page import App, Tab
from collapse_lab.dashboards.root import UnknownRun
from collapse_lab.dashboards.view import View, control, remembered
from collapse_lab.inert import inert
from collapse_lab.records import Alarm, told_first
from collapse_lab.signals import SIGNALS

CONFIG: Any = {"displayModeBar": False, "responsive": True, "doubleClick": False, "showTips": False}
E_VALUE_MEANS = "how strongly all families together speak against a healthy run"
FAMILIES = {
    "reward": "Reward",
    "policy": "Policy",
    "ratio": "Importance ratio",
    "mismatch": "Trainer and sampler",
    "credit": "Credit",
    "optimiser": "Optimiser",
    "length": "Length",
    "async": "Asynchrony",
    "time": "Time",
    "": "Other signals",
}


def layout(desk: Desk, name: str, view: View) -> Any:
    everything, alarms = desk.everything(name), desk.alarms(name)
    columns = counting(everything)
    going = desk.index.summary(name).going
    if not columns.rows:
        raise parts.Notice(
            f"No step has been recorded{' yet' * going}",
            "The panels appear with the first one; this page looks again by itself."
            if going
            else "The run ended before its first step.",
            parts.waiting(),
        )
    groups = grouped(columns.names, alarms)
    return html.Div(
        [
            html.Div(
                [
                    parts.chips("x", axes_offered(columns, alarms), view, "Over"),
                    parts.slider("smooth", view, "Smoothing", most=0.99, step=0.01),
                    parts.chips(CHARTS, chart_controls.CHOICE, view, "Detector's charts"),
                    parts.search("q", view, "Find a signal", "Find a signal by name"),
                    html.Button(
                        "Whole run", id="signals-whole", className="quiet-button",
                        style={"display": "none"},
                    ),
                    html.Span("live", id="signals-live", className="live",
                              style={} if going else {"display": "none"}),
                ],
                className="toolbar slim sticky",
            ),
            remembered("from", view),
            remembered("to", view),
            dcc.Store(id="signals-wanted"),
            dcc.Store(id="signals-cursor"),
            dcc.Store(id="signals-tick"),
            html.P(_reading(columns.rows, columns.whole), id="signals-reading",
                   className="chart-state", role="status"),
            *chart_controls.bar(view),
            _legend(bool(desk.earlier(name, everything))),
            html.Section(_panel(E_VALUE), className="family whole-run"),
            html.Div(
                [_section(title, names) for title, names in groups.items()], className="families"
            ),
            html.P("No signal of this name.", className="muted none-found", hidden=True),
        ],
        id="signals",
        className="signals",
    )  # fmt: skip


def _reading(rows: int, whole: bool) -> str:
    return "" if whole else f"The run is still being read: {rows:,} records so far."


def grouped(names: Sequence[str], alarms: Sequence[Alarm]) -> dict[str, list[str]]:
    """Signals by section: those that an alarm named come first, then the families."""
    told = told_first(alarms)
    moved: list[str] = []
    if told is not None:
        rewards = [name for name in ("reward/success_rate", "reward/mean") if name in names]
        moved = [name for name in dict.fromkeys((*rewards[:1], *told.signals)) if name in names]
    groups: dict[str, list[str]] = {"What moved": moved} if moved else {}
    order = {name: rank for rank, name in enumerate(SIGNALS)}
    rest = sorted(set(names) - set(moved), key=lambda name: (order.get(name, len(order)), name))
    for family, title in FAMILIES.items():
        members = [name for name in rest if _family(name) == family]
        if members:
            groups[title] = members
    return groups


def _family(name: str) -> str:
    known = SIGNALS.get(name)
    return known.family if known else ""


def _legend(resumed: bool) -> Any:
    marks = {
        "key-alarm": "alarm",
        "key-watch": "notice",
        "key-since": "the change began or is under way",
        "key-healthy": "last healthy step",
        "key-band": "expected of a healthy step",
        "key-event": "restart, intervention or learning rate set",
        "key-checkpoint": "checkpoint saved",
        "key-missing": "not logged",
        "key-nan": "NaN",
        "key-inf": "infinite",
    }
    if resumed:
        marks["key-before"] = "an earlier attempt, and its alarms"
    return html.Ul([html.Li(text, className=key) for key, text in marks.items()], className="keys")


def _section(title: str, names: Sequence[str]) -> Any:
    return html.Section(
        [
            html.H2([title, html.Span(str(len(names)), className="count")]),
            html.Div([_panel(name) for name in names], className="panels"),
        ],
        className=f"family n{min(len(names), 3)}",
    )


def _panel(name: str) -> Any:
    """Empty until it comes near the screen: a hundred graphs at once take a browser seconds."""
    return html.Figure(
        id={"type": "panel-box", "signal": name},
        className="panel",
        **{"data-signal": name},
        **parts.aria(label=f"{inert(name)}: {_meaning(name)}"),
    )


def _meaning(name: str) -> str:
    known = SIGNALS.get(name)
    return E_VALUE_MEANS if name == E_VALUE else known.meaning if known else ""


def _filled(name: str, figure: dict[str, Any], latest: str) -> list[Any]:
    meaning = _meaning(name)
    return [
        html.Figcaption(
            [
                html.Span(inert(name), className="signal", title=inert(name)),
                html.Span(meaning, className="meaning", title=meaning),
                html.Span(latest, id={"type": "latest", "signal": name}, className="latest"),
            ]
        ),
        dcc.Graph(
            id={"type": "panel", "signal": name},
            figure=figure,
            config=CONFIG,
            style={"height": f"{figure['layout']['height']}px"},
        ),
    ]


def _placed(at: int, new: dict[str, Any]) -> list[Any]:
    """What goes where, in the order of the page, for the callback's output number `at`."""
    return [new.get(part["id"]["signal"], no_update) for part in ctx.outputs_list[at]]


def callbacks(app: App, desk: Desk) -> None:
    chart_controls.callbacks(app, desk)

    @app.callback(
        Output({"type": "panel-box", "signal": ALL}, "children"),
        Output("signals-cursor", "data"),
        Input("signals-wanted", "data"),
        State("run", "data"),
        State("view", "data"),
        State("theme", "data"),
        prevent_initial_call=True,
    )
    def draw(wanted: dict[str, Any], name: str, view: View, theme: str) -> Any:
        try:
            drawn = sheet(desk, name, view or {}, theme, wanted["signals"])
        except UnknownRun:
            raise PreventUpdate from None
        filled = {
            signal: _filled(signal, figure, drawn.latest[signal])
            for signal, figure in drawn.figures.items()
        }
        return _placed(0, filled), drawn.cursor

    @app.callback(
        Output({"type": "panel", "signal": ALL}, "figure"),
        Output({"type": "latest", "signal": ALL}, "children"),
        Output("signals-cursor", "data", allow_duplicate=True),
        Output("signals-live", "style"),
        Output("signals-reading", "children"),
        Input("signals-tick", "data"),
        State("signals-cursor", "data"),
        State("signals-wanted", "data"),
        State("run", "data"),
        State("view", "data"),
        State("theme", "data"),
        prevent_initial_call=True,
    )
    def tick(
        stamp: str, cursor: Cursor | None, wanted: dict[str, Any] | None, name: str,
        view: View, theme: str,
    ) -> Any:  # fmt: skip
        if cursor is None or wanted is None:
            raise PreventUpdate
        try:
            drawn = growth(desk, name, view or {}, theme, wanted["near"], cursor)
        except UnknownRun:
            raise PreventUpdate from None
        if drawn is None:
            raise PreventUpdate
        return (
            _placed(0, drawn.figures),
            _placed(1, drawn.latest),
            drawn.cursor,
            {} if drawn.live else {"display": "none"},
            _reading(drawn.cursor["rows"], drawn.cursor["whole"]),
        )

    app.clientside_callback(
        ClientsideFunction("signals", "watch"),
        Output("signals", "title"),
        Input("signals", "id"),
        Input("view", "data"),
        Input("theme", "data"),
        Input("signals-charts", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("signals", "rest"),
        Output("signals", "lang"),
        Input("signals-cursor", "data"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("signals", "zoom"),
        Output(control("from"), "value"),
        Output(control("to"), "value"),
        Input({"type": "panel", "signal": ALL}, "relayoutData"),
        Input("signals-whole", "n_clicks"),
        Input(control("x"), "value"),
        prevent_initial_call=True,
    )


TAB = Tab("signals", "Signals", layout, callbacks)
