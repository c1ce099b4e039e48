"""All runs in one table, which the page fetches a block at a time: sorted, filtered and grouped."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import dash_ag_grid as dag  # pyright: ignore[reportMissingTypeStubs]
from dash import ClientsideFunction, Input, Output, dcc, html

from collapse_lab.dashboards import parts
from collapse_lab.dashboards.desk import Desk
from collapse_lab.dashboards.page import App, Page
from collapse_lab.dashboards.query import GROUPS, Query, answer
from collapse_lab.dashboards.view import View, remembered

BLOCK = 100
STATES = {
    "": "All",
    "running": "Running",
    "alarmed": "Alarmed",
    "quiet": "Quiet",
    "ended": "Ended",
}
THEME = (
    "themeQuartz.withParams({backgroundColor:'var(--surface)',foregroundColor:'var(--text)',"
    "headerBackgroundColor:'var(--surface)',headerTextColor:'var(--muted)',"
    "borderColor:'var(--line)',rowHoverColor:'var(--hover)',selectedRowBackgroundColor:"
    "'var(--selected)',accentColor:'var(--accent)',fontFamily:'inherit',fontSize:13,"
    "headerFontSize:12,headerFontWeight:500,rowHeight:40,headerHeight:38,wrapperBorder:false,"
    "columnBorder:false,wrapperBorderRadius:0,cellHorizontalPadding:10,spacing:7,"
    "browserColorScheme:'inherit'})"
)


def _column(field: str, header: str, width: int, **more: Any) -> dict[str, Any]:
    return {"field": field, "headerName": header, "width": width, **more}


COLUMNS = [
    _column("name", "Run", 184, pinned="left", cellRenderer="RunName"),
    _column("health", "Health", 166, cellRenderer="RunHealth"),
    _column("state", "State", 88, cellRenderer="RunState"),
    _column("mechanism", "First alarm, mechanism", 330, cellRenderer="FirstAlarm", flex=1,
            minWidth=216),
    _column("lead", "Lead", 60, type="rightAligned", cellRenderer="Lead",
            headerTooltip="Steps from the alarm to where half of the reward's gain was gone"),
    _column("spark", "Reward", 148, sortable=False, cellRenderer="Sparkline"),
    _column("reached", "Steps", 84, type="rightAligned", cellRenderer="Steps"),
    _column("algorithm", "Algorithm", 92, cellRenderer="Setting"),
    _column("task", "Task", 94, cellRenderer="Setting"),
    _column("framework", "Framework", 100, cellRenderer="Setting"),
    _column("last_time", "Last step", 82, type="rightAligned", cellRenderer="Age"),
]  # fmt: skip


def layout(desk: Desk, view: View) -> Any:
    rows = desk.index.rows()
    if not rows:
        return parts.empty(
            "No runs yet",
            html.P(["A run appears here as soon as something writes into ",
                    html.Code(str(desk.root.folder)), "."]),
            html.P(["Watch a training: ", html.Code("collapse-lab watch -- python train.py")]),
            html.P(["Train a small one: ", html.Code("collapse-lab demo")]),
            parts.waiting(),
        )  # fmt: skip
    return html.Div(
        [
            html.Div(
                [
                    html.H1("Runs"),
                    html.Span(id="runs-count", className="muted", role="status"),
                    parts.search(
                        "q", view, "Search, or algorithm:grpo health:alarm", "Search the runs"
                    ),
                    parts.chips("only", STATES, view, "Show"),
                    parts.chips("group", {"": "None", **GROUPS}, view, "Group by"),
                    dcc.Link(
                        "Compare", id="runs-compare", href="/compare", className="button",
                        style={"display": "none"},
                    ),
                ],
                className="toolbar",
            ),
            remembered("sort", view),
            remembered("closed", view),
            dag.AgGrid(
                id="runs-grid",
                className="runs-grid",
                columnDefs=_sorted(view.get("sort", "")),
                rowModelType="infinite",
                defaultColDef={"resizable": True, "sortable": True, "suppressMovable": True},
                getRowId="params.data.id",
                getRowStyle={
                    "styleConditions": [
                        {"condition": "params.data && params.data.group", "style": {
                            "background": "var(--raised)", "fontWeight": 600}},
                    ]
                },
                dashGridOptions={
                    "theme": {"function": THEME},
                    "rowSelection": {
                        "mode": "multiRow",
                        "headerCheckbox": False,
                        "hideDisabledCheckboxes": True,
                        "isRowSelectable": {"function": "params.data && !params.data.group"},
                    },
                    "selectionColumnDef": {"pinned": "left", "width": 44},
                    # dash-ag-grid asks in its own way first, which counts as on its way for ever
                    "maxConcurrentDatasourceRequests": -1,
                    "cacheBlockSize": BLOCK,
                    "maxBlocksInCache": 30,
                    "rowBuffer": 12,
                    "infiniteInitialRowCount": min(len(rows), BLOCK),
                    "animateRows": False,
                    "localeText": {"noRowsToShow": "No run matches"},
                },
                dangerously_allow_code=False,
                style={"height": "100%", "width": "100%"},
            ),
        ],
        className="runs-page",
    )  # fmt: skip


def _sorted(order: str) -> list[dict[str, Any]]:
    """The columns, in the order that a query string asks for: "lead" or "-lead"."""
    field, down = order.removeprefix("-"), order.startswith("-")
    return [
        column | {"sort": "desc" if down else "asc"} if column["field"] == field else column
        for column in COLUMNS
    ]


def rows(desk: Desk) -> Any:
    """The table's rows from `start` to `end`, for the view that the rest of the query string is.

    Not a callback: the grid's way of asking by one loses the answer that comes after an empty one
    (its effect clears the timer that it has just set for it, dash-ag-grid pull request 454).
    """
    from flask import Response, request
    from plotly.io.json import to_json_plotly

    everything = desk.index.rows()
    found = answer(everything, Query.of(request.args))
    start, end = (request.args.get(side, default=0, type=int) for side in ("start", "end"))
    count = f"{len(everything):,}"
    if found.runs < len(everything):
        count = f"{found.runs:,} of {count}"
    pending = desk.index.pending()
    if pending:
        count += f" \u00b7 {pending:,} still being read"
    part = found.block(start, end, time.time())
    told = {"rows": part, "total": len(found.rows), "count": count}
    return Response(to_json_plotly(told), mimetype="application/json")


def callbacks(app: App, desk: Desk) -> None:
    app.server.add_url_rule("/_rows", "rows", partial(rows, desk))

    def client(name: str, *wires: Any) -> None:
        app.clientside_callback(ClientsideFunction("runs", name), *wires)

    # a request shows that the grid has put its own way in place of ours, early or late
    client(
        "ask",
        Output("runs-grid", "id"),
        Input("view", "data"),
        Input("runs-grid", "getRowsRequest"),
    )
    client(
        "compare",
        Output("runs-compare", "href"),
        Output("runs-compare", "style"),
        Output("runs-compare", "children"),
        Input("runs-grid", "selectedRows"),
    )


PAGE = Page("/", "Runs", layout, callbacks)
