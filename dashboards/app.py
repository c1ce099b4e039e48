"""The app around the pages: the bar, the address, the theme, and the news of alarms."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

from dash import ALL, ClientsideFunction, Dash, Input, Output, State, dcc, html

from collapse_lab.dashboards import access, parts
from collapse_lab.dashboards.desk import Desk
from collapse_lab.dashboards.index import Index
from collapse_lab.dashboards.index_cache import cache_file
from collapse_lab.dashboards.judging import Judge
from collapse_lab.dashboards.library import Library
from collapse_lab.dashboards.page import App, Page
from collapse_lab.dashboards.pages import PAGES
from collapse_lab.dashboards.root import Root, UnknownRun
from collapse_lab.dashboards.tabs import TABS
from collapse_lab.dashboards.view import parse, run_link
from collapse_lab.inert import inert

MOST_NEWS = 5


def open_desk(root: Path | str, judge: bool = True, reference: Path | str | None = None) -> Desk:
    """The runs of a folder, not yet listed. `judge`: find alarms of runs that nobody watched.
    `reference`: a folder of healthy runs that others are held against."""
    where, library = Root(root), Library()
    index = Index(where, library, Judge() if judge else None, cache_file(where.folder))
    healthy = open_desk(reference, judge=False) if reference else None
    return Desk(where, index, library, healthy)


def create_app(root: Path | str | Desk, token: str | None = None) -> Dash:
    """The app over a folder of runs. Without a token it answers loopback hosts only.

    Whoever serves it also keeps the index going: `server.serve`.
    """
    desk = root if isinstance(root, Desk) else open_desk(root)
    app = Dash(
        "collapse_lab.dashboards",
        assets_folder=str(Path(__file__).parent / "assets"),
        title="collapse-lab",
        update_title="",
        suppress_callback_exceptions=True,
        enable_mcp=False,
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
    )
    app.index_string = app.index_string.replace("<html>", '<html lang="en">')
    app.layout = _shell
    app.server.add_url_rule("/_pulse", "pulse", partial(pulse, desk))
    wired = cast(App, app)
    _shell_callbacks(wired, desk)
    for part in (*PAGES, *TABS):
        part.callbacks(wired, desk)
    hashes: list[str] = []

    def script_hashes() -> list[str]:
        if not hashes:
            hashes.extend(app.csp_hashes())
        return hashes

    access.guard(app.server, token, script_hashes)
    return app


def _shell() -> Any:
    return html.Div(
        [
            dcc.Location(id="location"),
            dcc.Store(id="view"),
            dcc.Store(id="theme"),
            dcc.Store(id="news"),
            dcc.Store(id="again"),
            html.A("Skip to content", href="#content", className="skip"),
            html.Header(
                [
                    dcc.Link(
                        [html.Span(className="mark"), "collapse-lab"], href="/", className="brand"
                    ),
                    html.Nav(
                        [dcc.Link(page.title, href=page.path) for page in PAGES if page.menu],
                        **parts.aria(label="Pages"),
                    ),
                    html.Div(
                        [
                            html.Button(
                                "Notify me", id="notify", className="quiet-button", title=(
                                    "Tell me of new alarms by a notification of the browser"
                                ),
                            ),
                            html.Button(
                                "\u25d0", id="theme-toggle", className="quiet-button",
                                **parts.aria(label="Light or dark"), title="Light or dark",
                            ),
                        ],
                        className="tools",
                    ),
                ],
                className="bar",
            ),
            html.Div(
                id="announcer", role="status", className="announcer", **parts.aria(live="polite")
            ),
            html.Main(
                dcc.Loading(
                    html.Div(id="content"),
                    custom_spinner=html.Div("Loading", className="spinner"),
                    delay_show=400,
                    target_components=cast(Any, {"content": "children"}),
                ),
                id="main",
            ),
        ]
    )  # fmt: skip


def _shell_callbacks(app: App, desk: Desk) -> None:
    @app.callback(
        Output("content", "children"),
        Input("location", "pathname"),
        Input("location", "search"),
        Input("again", "data"),
    )
    def show(pathname: str | None, search: str | None, again: Any) -> Any:
        path = pathname or "/"
        found = _page(path)
        if found is None:
            return parts.empty("There is no such page", dcc.Link("All runs", href="/"))
        page, rest = found
        try:
            return page.layout(desk, {**parse(search), "path": unquote(rest)})
        except UnknownRun as error:
            return parts.empty(
                "This run is not here",
                f"No run {inert(str(error))} lies in {desk.root.folder}; it may have been moved or "
                "deleted.",
                dcc.Link("All runs", href="/"),
            )
        except parts.Notice as notice:
            return parts.empty(notice.title, *notice.text)

    def client(name: str, *wires: Any) -> None:
        app.clientside_callback(ClientsideFunction("shell", name), *wires)

    client(
        "view",
        Output("view", "data"),
        Input("content", "children"),
        Input({"type": "view", "name": ALL}, "value"),
        State({"type": "view", "name": ALL}, "id"),
    )
    client("theme", Output("theme", "data"), Input("theme-toggle", "n_clicks"))
    client("notify", Output("notify", "children"), Input("notify", "n_clicks"))
    client("announce", Output("announcer", "children"), Input("news", "data"))


def pulse(desk: Desk) -> dict[str, Any]:
    """What an open page asks for every second: whether anything has changed, the news, and whether
    it tells the age of something by a minute that is over.

    Not a callback, which would cost the page more than the server. `heard` is how much of the
    news the page has had, `run` the run that it shows.
    """
    from flask import request

    news = desk.index.news
    heard = request.args.get("heard", len(news), type=int)
    now = time.time()
    answer: dict[str, Any] = {"version": desk.index.version, "heard": len(news)}
    answer["minute"] = int(now // 60)
    answer["news"] = [
        {
            "link": run_link(item.run),
            "severity": item.alarm.severity,
            "text": f"{inert(item.run, 60)}: {item.alarm.severity} at step {item.alarm.step}, "
            f"{inert(item.alarm.message, 300)}",
        }
        for item in news[heard:][-MOST_NEWS:]
    ]
    name = request.args.get("run")
    if name:
        try:
            columns, summary = desk.columns(name), desk.index.summary(name)
        except UnknownRun:
            return answer | {"head": "gone", "rows": "gone"}
        alarms = len(desk.alarms(name))
        age = parts.ago(now - summary.last_time)
        facts = (summary.state, summary.health, summary.alarms, summary.steps, summary.label, age)
        answer["head"] = "|".join(str(fact) for fact in facts)
        answer["rows"] = f"{columns.rows}|{columns.version}|{alarms}|{columns.whole}"
    return answer


def _page(path: str) -> tuple[Page, str] | None:
    """The page of an address, and what follows the page's own path."""
    for page in PAGES:
        if path == page.path:
            return page, ""
        if page.path != "/" and page.path.endswith("/") and path.startswith(page.path):
            return page, path[len(page.path) :]
    return None
