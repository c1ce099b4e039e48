"""What the signals tab says of the detector's charts, and how it waits for them."""

from __future__ import annotations

from typing import Any

from dash import Input, Output, State, dcc, html, no_update
from dash.exceptions import PreventUpdate

from collapse_lab.dashboards.bench import MOST_RECORDS
from collapse_lab.dashboards.chart_drawing import CHARTS
from collapse_lab.dashboards.charts import Charts
from collapse_lab.dashboards.desk import Desk
from collapse_lab.dashboards.page import App
from collapse_lab.dashboards.root import UnknownRun
from collapse_lab.dashboards.settings import CONTROLS, SHIPPED, settings_of
from collapse_lab.dashboards.view import View, remembered, run_link

JUDGING_SECONDS, POLL_MS = 0.6, 700
"""How long the detectors work at a time while a page waits for them, and rest in between."""
CHOICE = {"": "Off", "on": "On"}


def bar(view: View) -> list[Any]:
    """What stands above the panels; the workbench's settings stay in the address."""
    return [
        *(remembered(name, view) for name in CONTROLS),
        dcc.Store(id="signals-charts"),
        dcc.Interval(id="signals-judging", interval=POLL_MS, disabled=True),
        html.P(id="signals-judged", className="chart-state", role="status"),
    ]


def callbacks(app: App, desk: Desk) -> None:
    @app.callback(
        Output("signals-judged", "children"),
        Output("signals-judging", "disabled"),
        Output("signals-charts", "data"),
        Input("view", "data"),
        Input("signals-judging", "n_intervals"),
        State("signals-charts", "data"),
        State("run", "data"),
    )
    def judge(view: View | None, waited: int | None, shown: Any, name: str) -> Any:
        """The store says which charts there are: assets/20-signals.js draws when it changes."""
        if view is None:
            raise PreventUpdate
        if not view.get(CHARTS):
            if shown is None:
                raise PreventUpdate
            return None, True, None
        try:
            rows = desk.columns(name).rows
            charts = desk.charts(name, settings_of(view))
        except UnknownRun:
            raise PreventUpdate from None
        whole = charts.refresh(JUDGING_SECONDS)
        stand = [*(view.get(control, "") for control in CONTROLS), whole]
        return (
            _told(name, view, charts, rows, whole),
            whole,
            no_update if stand == shown else stand,
        )


def _told(name: str, view: View, charts: Charts, rows: int, whole: bool) -> list[Any]:
    if not whole:
        return [f"The detectors go over the run: {charts.judged:,} of "
                f"{min(rows, MOST_RECORDS):,} records."]  # fmt: skip
    said: list[Any] = [
        f"Under each judged signal its CUSUM, which alone gives a notice at "
        f"{charts.cusum_limit:g}; the run's e-value gives the alarm at {charts.e_limit:g}."
    ]
    if rows > MOST_RECORDS:
        said.append(f" Only the first {MOST_RECORDS:,} records are judged here.")
    if settings_of(view) != SHIPPED:
        plain = {key: value for key, value in view.items() if key not in CONTROLS}
        said += [
            " Limits and signals are those of your workbench settings; the marked alarms are the "
            "run's own. ",
            dcc.Link("As shipped", href=run_link(name, **plain)),
        ]
    return said
