"""The run page's workbench: the detectors with other settings, and what they would have said."""

from __future__ import annotations

import json
from typing import Any

from dash import Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from collapse_lab.dashboards import parts
from collapse_lab.dashboards.bench import Bench
from collapse_lab.dashboards.columns import Columns
from collapse_lab.dashboards.desk import Desk
from collapse_lab.dashboards.page import App, Tab
from collapse_lab.dashboards.root import UnknownRun
from collapse_lab.dashboards.settings import CONTROLS, SHIPPED, settings_of
from collapse_lab.dashboards.view import View, control, run_link
from collapse_lab.dashboards.workbench_found import side_by_side
from collapse_lab.dashboards.workbench_words import in_words, waiting
from collapse_lab.detectors.scale import JUDGED

POLL_MS = 700
ALPHAS = {"": "5 %, as shipped", "0.2": "20 %", "0.1": "10 %", "0.02": "2 %", "0.01": "1 %",
          "0.001": "0.1 %"}  # fmt: skip
LIMITS = {"": "as shipped", "0.5": "half", "0.75": "\u00be", "1.5": "1.5 \u00d7", "2": "2 \u00d7",
          "4": "4 \u00d7"}  # fmt: skip
REWARD_LIMITS = {"": "as shipped", "0.5": "half", "0.75": "\u00be", "1.2": "surely 20 %",
                 "1.4": "surely 40 %", "1.6": "surely 60 %"}  # fmt: skip
FILE = "calibration.json"


def layout(desk: Desk, name: str, view: View) -> Any:
    columns = desk.columns(name)
    if not columns.rows:
        return parts.empty("No step has been recorded", "There is nothing to judge.")
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
                    parts.chips("reward-limit", REWARD_LIMITS, view, "Fall of the reward, limit"),
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
                placeholder=f"all {len(judged)} are judged" if judged else "none to mute",
                className="mute",
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
            settings, columns = settings_of(view), desk.columns(name)
            rows = columns.rows
            state = [repr(settings), theme]
            if state == shown:
                raise PreventUpdate
            folder = desk.folder(name)
            before = bench.alarms(folder, rows, SHIPPED)
            after = bench.alarms(folder, rows, settings)
            if before is None or after is None:
                return [], waiting(rows), False, None
            found = side_by_side(columns, settings, before, after, theme)
        except UnknownRun:
            raise PreventUpdate from None
        except ChildProcessError as error:
            return [], f"This could not be judged: {error}. Any setting tries it again.", True, None
        told = [*in_words(rows, settings, before, after, view), " ", _charts_link(name, view)]
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


TAB = Tab("workbench", "Workbench", layout, callbacks)
