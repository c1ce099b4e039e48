"""The run page's report: what `collapse-lab report` writes, to download or to paste."""

from __future__ import annotations

import shlex
from typing import Any, cast

from dash import Input, Output, State, ctx, dcc, html
from dash.exceptions import PreventUpdate

from collapse_lab.dashboards import parts
from collapse_lab.dashboards.desk import Desk
from collapse_lab.dashboards.page import App, Tab
from collapse_lab.dashboards.root import UnknownRun
from collapse_lab.dashboards.view import View
from collapse_lab.inert import inert
from collapse_lab.report import FORMATS, SUFFIXES, Format, file_stem, open_case

MOST_ROWS = 20_000
"""A report reads and may judge the whole run: of a longer one, for more than some seconds."""
BUTTONS: dict[str, Format] = {"report-html": "html", "report-markdown": "markdown"}


def layout(desk: Desk, name: str, view: View) -> Any:
    rows = desk.columns(name).rows
    if not rows:
        raise parts.Notice("No step has been recorded", "There is nothing to report.")
    if rows > MOST_ROWS:
        command = f"collapse-lab report {shlex.quote(str(desk.folder(name)))}"
        raise parts.Notice(
            "This run is too long to be read again here",
            html.P(["The command line writes its report: ", html.Code(inert(command, 400))]),
        )
    return html.Div(
        [
            html.P(
                "One page to attach to an issue: what happened, the curves around the alarm, the "
                "evidence, the configuration with secrets masked, the environment and samples."
            ),
            html.Div(
                [
                    html.Button("Download the page (HTML)", id="report-html", className="button"),
                    html.Button("Download Markdown", id="report-markdown",
                                className="quiet-button"),
                    dcc.Clipboard(target_id="report-text", title="Copy the Markdown",
                                  className="copy"),
                ],
                className="toolbar slim",
            ),
            dcc.Loading(
                html.Pre(id="report-text", className="report-text", tabIndex="0"),
                custom_spinner=html.Div("Writing the report", className="spinner"),
            ),
            dcc.Download(id="report-file"),
            dcc.Store(id="report-asked", data=name),
        ],
        className="report-tab",
    )  # fmt: skip


def callbacks(app: App, desk: Desk) -> None:
    @app.callback(
        Output("report-file", "data"),
        *(Input(button, "n_clicks") for button in BUTTONS),
        State("run", "data"),
        prevent_initial_call=True,
    )
    def download(page: int | None, text: int | None, name: str) -> Any:
        asked = cast(Any, ctx).triggered_id
        if not (page or text):
            raise PreventUpdate
        form = BUTTONS[asked]
        file = f"{file_stem(name)}-report{SUFFIXES[form]}"
        return {"content": _write(desk, name, form), "filename": file}

    @app.callback(Output("report-text", "children"), Input("report-asked", "data"))
    def show(name: str) -> Any:
        return _write(desk, name, "markdown")


def _write(desk: Desk, name: str, form: Format) -> str:
    """The report with the alarms that the app shows."""
    try:
        return FORMATS[form](open_case(desk.folder(name), desk.alarms(name) or None))
    except UnknownRun:
        raise PreventUpdate from None


TAB = Tab("report", "Report", layout, callbacks)
