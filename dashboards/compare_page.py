"""Runs against each other: overlaid, aligned, grouped, before the band of healthy runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import urlencode

from dash import ALL, ClientsideFunction, Input, Output, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from collapse_lab.dashboards import parts
from collapse_lab.dashboards.compare_runs import MOST_VALUE, listed_runs
from collapse_lab.dashboards.compare_table import outcome_table
from collapse_lab.dashboards.comparing import (
    available,
    choose,
    differing,
    panels,
    shown_signals,
    state,
)
from collapse_lab.dashboards.comparison import names_of, quoted
from collapse_lab.dashboards.desk import Desk
from collapse_lab.dashboards.overlays import HEIGHT
from collapse_lab.dashboards.page import App, Page
from collapse_lab.dashboards.root import UnknownRun
from collapse_lab.dashboards.view import View, control, remembered
from collapse_lab.inert import inert
from collapse_lab.signals import SIGNALS

FOUND = 60
"""Runs that the list offers at a time."""
ALIGN = {"": "Step", "alarm": "First alarm", "onset": "Onset of the fall"}


def layout(desk: Desk, view: View) -> Any:
    names = names_of(view)
    if not names:
        return _nothing_chosen(desk)
    chosen = choose(desk, view)
    if not chosen.runs:
        raise parts.Notice(
            "These runs are not here",
            f"None of the {len(chosen.gone)} runs in this link lies in {desk.root.folder}.",
            dcc.Link("All runs", href="/"),
        )
    signals = shown_signals(desk, chosen, view)
    return html.Div(
        [
            html.Div(
                [
                    html.H1("Compare"),
                    parts.chips("align", ALIGN, view, "Aligned at"),
                    parts.chips("ref", _references(desk), view, "Healthy band"),
                    parts.slider("smooth", view, "Smoothing", most=0.99, step=0.01),
                    html.Button(
                        "Whole runs", id="compare-whole", className="quiet-button",
                        style={"display": "none"},
                    ),
                ],
                className="toolbar slim",
            ),
            html.Div(
                [
                    _pick("runs", "Runs", _options(names), [quoted(name) for name in names],
                          "Add a run"),
                    _pick("signals", "Signals", _options(available(desk, chosen)),
                          [quoted(name) for name in signals], "Add a signal"),
                    _pick("by", "Group by", list(differing(desk, chosen)), view.get("by"),
                          "A setting that differs"),
                ],
                className="compare-picks",
            ),
            remembered("from", view),
            remembered("to", view),
            dcc.Store(id="compare-state"),
            dcc.Store(id="compare-signals", data=signals),
            dcc.Store(id="compare-tick"),
            html.Div(id="compare-runs"),
            html.Div([_panel(name) for name in signals], id="compare-panels", className="panels"),
            html.Section(id="compare-table", className="compare-table"),
        ],
        id="compare",
        className="run-page compare",
    )  # fmt: skip


def _nothing_chosen(desk: Desk) -> Any:
    latest = desk.index.rows()[:4]
    link = "/compare?" + urlencode({"runs": ",".join(quoted(row.name) for row in latest)})
    return parts.empty(
        "Nothing to compare yet",
        "Tick two or more runs in the table, then Compare.",
        html.P(
            [
                dcc.Link("All runs", href="/"),
                *([" or ", dcc.Link(f"the {len(latest)} latest", href=link)] if latest[1:] else []),
            ]
        ),
    )


def _references(desk: Desk) -> dict[str, str]:
    corpus = {"corpus": "Reference runs"} if desk.reference else {}
    return {"": "None", **corpus, "quiet": "Healthy runs here"}


def _pick(name: str, title: str, options: Sequence[Any], value: Any, placeholder: str) -> Any:
    """A list to choose from: a control of the view."""
    return html.Div(
        [
            html.Label(title, className="label", htmlFor=f"compare-{name}-pick"),
            dcc.Dropdown(
                id=control(name),
                options=options,
                value=value,
                multi=isinstance(value, list),
                placeholder=placeholder,
                clearable=name == "by",
            ),
        ],
        className=f"pick pick-{name}",
    )


def _options(names: Sequence[str]) -> list[dict[str, str]]:
    return [{"label": inert(name, 80), "value": quoted(name)} for name in names]


def _panel(name: str) -> Any:
    known = SIGNALS.get(name)
    meaning = known.meaning if known else ""
    return html.Figure(
        [
            html.Figcaption(
                [
                    html.Span(inert(name), className="signal"),
                    html.Span(meaning, className="meaning", title=meaning),
                ]
            ),
            dcc.Graph(
                id={"type": "compare-panel", "signal": name},
                figure={"data": [], "layout": {"height": HEIGHT}},
                config={"displayModeBar": False, "responsive": True, "doubleClick": False},
                style={"height": f"{HEIGHT}px"},
            ),
        ],
        className="panel",
        **parts.aria(label=f"{inert(name)}: {meaning}"),
    )


def callbacks(app: App, desk: Desk) -> None:
    @app.callback(
        Output("compare-runs", "children"),
        Output("compare-table", "children"),
        Output("compare-panels", "children"),
        Output("compare-signals", "data"),
        Output(control("by"), "options"),
        Input("view", "data"),
        Input("theme", "data"),
        State("compare-signals", "data"),
        State("location", "pathname"),
        prevent_initial_call=True,
    )
    def describe(view: View | None, theme: str | None, shown: list[str], path: str) -> Any:
        if path != PAGE.path or not names_of(view or {}):
            raise PreventUpdate
        chosen = choose(desk, view or {})
        signals = shown_signals(desk, chosen, view or {})
        fresh = ([_panel(name) for name in signals], signals) if signals != shown else None
        keys = [{"label": inert(key, MOST_VALUE), "value": key} for key in differing(desk, chosen)]
        return (
            listed_runs(desk, chosen, view or {}, theme),
            outcome_table(desk, chosen),
            *(fresh or (no_update, no_update)),
            keys,
        )

    @app.callback(
        Output({"type": "compare-panel", "signal": ALL}, "figure"),
        Output("compare-state", "data"),
        Input("view", "data"),
        Input("theme", "data"),
        Input("compare-signals", "data"),
        Input("compare-tick", "data"),
        State("compare-state", "data"),
        State("location", "pathname"),
        prevent_initial_call=True,
    )
    def draw(
        view: View | None, theme: str | None, signals: list[str], tick: int | None,
        shown: list[Any] | None, path: str,
    ) -> Any:  # fmt: skip
        if path != PAGE.path or not names_of(view or {}):
            raise PreventUpdate
        try:
            now = state(desk, choose(desk, view or {}))
            if _triggered() == "compare-tick" and now == shown:
                raise PreventUpdate
            asked = [part["id"]["signal"] for part in ctx.outputs_list[0]]
            figures = panels(desk, view or {}, theme, asked)
        except UnknownRun:  # deleted between two looks: the next one leaves it out
            raise PreventUpdate from None
        return [figures[signal] for signal in asked], now

    @app.callback(
        Output(control("runs"), "options"),
        Input(control("runs"), "search_value"),
        Input(control("runs"), "value"),
    )
    def find(text: str | None, chosen: list[str] | None) -> Any:
        names = names_of({"runs": ",".join(chosen or [])})
        wanted = (text or "").casefold()
        rows = (row.name for row in desk.index.rows() if wanted in row.name.casefold())
        offered = [name for name, _ in zip(rows, range(FOUND), strict=False)]
        return _options(list(dict.fromkeys((*names, *offered))))

    @app.callback(
        Output(control("runs"), "value"),
        Input({"type": "compare-drop", "run": ALL}, "n_clicks"),
        State(control("runs"), "value"),
        prevent_initial_call=True,
    )
    def drop(clicks: list[int | None], chosen: list[str]) -> Any:
        if not any(clicks):
            raise PreventUpdate
        left = quoted(_triggered()["run"])
        return [name for name in chosen if name != left]

    app.clientside_callback(
        ClientsideFunction("compare", "zoom"),
        Output("compare-whole", "style"),
        Input({"type": "compare-panel", "signal": ALL}, "relayoutData"),
        Input("compare-whole", "n_clicks"),
        Input("view", "data"),
        prevent_initial_call=True,
    )


def _triggered() -> Any:
    """The id of the component that a callback was called for."""
    return cast(Any, ctx).triggered_id


PAGE = Page("/compare", "Compare", layout, callbacks)
