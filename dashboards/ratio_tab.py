"""The run page's importance ratios: their whole distribution over the steps, against the clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import ALL, ClientsideFunction, Input, Output, State, ctx, dcc, html
from dash.exceptions import PreventUpdate

from collapse_lab.configured.frameworks import clip_of
from collapse_lab.dashboards import parts
from collapse_lab.dashboards.desk import Desk
from collapse_lab.dashboards.drawing import axes_offered
from collapse_lab.dashboards.figures import HEIGHT
from collapse_lab.dashboards.page import App, Tab
from collapse_lab.dashboards.ratio_drawing import DIVERGENCES, LEVELS, Level, draw, panels_of
from collapse_lab.dashboards.ratio_heat_map import HEAT_HEIGHT
from collapse_lab.dashboards.ratio_quadrants import QUADRANT_HEIGHT, QUADRANTS
from collapse_lab.dashboards.root import UnknownRun
from collapse_lab.dashboards.view import View, remembered
from collapse_lab.inert import inert
from collapse_lab.signals import SIGNALS

READING_MS = 1500
AT_ONCE_SECONDS, A_TICK_SECONDS = 0.6, 1.0
"""How long the page waits for histograms: what is not read by then is read tick by tick."""
CONFIG: Any = {"displayModeBar": False, "responsive": True, "doubleClick": False, "showTips": False}
HEIGHTS = {"heat": HEAT_HEIGHT, "share": QUADRANT_HEIGHT}
MOST_CLIP = 160


def layout(desk: Desk, name: str, view: View) -> Any:
    columns, alarms = desk.columns(name), desk.alarms(name)
    histories = desk.histories(name)
    read = histories.refresh(AT_ONCE_SECONDS)
    panels = panels_of(columns.names, histories.by_name)
    if not panels:
        return parts.empty("This run logs no importance ratios", _how())
    measured = any(level.histogram in histories.by_name for level in LEVELS.values())
    return html.Div(
        [
            html.Div(
                [
                    parts.chips("x", axes_offered(columns, alarms), view, "Over"),
                    html.Button("Whole run", id="ratios-whole", className="quiet-button",
                                style={"display": "none"}),
                    html.Span(_progress(read), id="ratios-read", className="muted"),
                ],
                className="toolbar slim sticky",
            ),
            remembered("from", view),
            remembered("to", view),
            dcc.Store(id="ratios-shown"),
            dcc.Store(id="ratios-tick"),
            dcc.Interval(id="ratios-reading", interval=READING_MS, disabled=read >= 1),
            _legend(desk, name) if measured else html.Div(
                [html.P("This run records no histograms of the ratio, so this is what it logs "
                        "of them."), _how()],
                className="note",
            ),
            html.Div(
                [_level(level, panels, measured) for level in LEVELS.values()],
                className="ratio-levels",
            ),
            _divergences(panels),
            _others(panels),
        ],
        id="ratios",
        className="ratios",
    )  # fmt: skip


def _how() -> Any:
    return html.P(
        [
            "Histograms come from the probes: ",
            html.Code("probe = collapse_lab.probes.observe(run.append)"),
            " in the training loop sees the log-probs, advantages and masks of a step and records "
            "the distribution of the ratio, its tail and where the divergence lies.",
        ]
    )


def _progress(read: float) -> str:
    return "" if read >= 1 else f"{read:.0%} of the records read"


def _legend(desk: Desk, name: str) -> Any:
    clip = clip_of(desk.meta(name).get("config"))
    said = "The run's configuration states no clip that this page knows."
    if clip is not None:
        said = f"Clip: {inert(clip.said, MOST_CLIP)}" + (", without bounds." if clip.soft else ".")
    return html.Div(
        [
            html.Span(
                [
                    html.Span("share of a step's values"),
                    html.Span("0.01 %"),
                    html.Span(className="heat-scale"),
                    html.Span("100 %"),
                ],
                className="heat-key",
            ),
            html.Span(said),
        ],
        className="ratio-legend",
    )


def _level(level: Level, panels: Sequence[str], measured: bool) -> Any:
    heat = f"heat:{level.histogram}"
    drawn = [
        (heat, "Log-ratio", f"of {level.of}, in nats: new policy over that of the data"
         + ("; lines: 0.01, 0.5 and 0.99 quantiles" if measured else "")),
        (f"khat:{level.khat}", "k-hat", "shape of the upper tail: each step faint, its median "
         "over five steps bold, unreliable above 0.7"),
        (f"ess:{level.ess}", "Effective sample size", "over the number of weights; below 0.1 they "
         "estimate nothing"),
    ]  # fmt: skip
    figures = [_panel(*one) for one in drawn if one[0] in panels]
    if not figures:
        return None
    return html.Section([html.H2(level.title), *figures])


def _divergences(panels: Sequence[str]) -> Any:
    shown = [(key, text) for key, text in DIVERGENCES.items() if f"share:{key}" in panels]
    if not shown:
        return None
    return html.Section(
        [
            html.H2("Where the divergence lies"),
            html.P(
                "Share of the k3 divergence by the sign of the advantage A and the side of the "
                "ratio w: strong colours move the way that the advantage asks for, pale ones "
                "against it. What A < 0 and w < 1 gathers is mass taken away without a bound. The "
                "rest of a bar are tokens without an advantage.",
                className="muted",
            ),
            html.Ul(
                [html.Li(text, className=key) for key, (text, *_) in QUADRANTS.items()],
                className="keys quadrants",
            ),
            html.Div(
                [_panel(f"share:{key}", key, text) for key, text in shown],
                className="ratio-levels",
            ),
        ]
    )


def _others(panels: Sequence[str]) -> Any:
    signals = [key.partition(":")[2] for key in panels if key.startswith("plain:")]
    if not signals:
        return None
    return html.Section(
        [
            html.H2("Logged of the ratios"),
            html.Div(
                [_panel(f"plain:{name}", name, SIGNALS[name].meaning) for name in signals],
                className="ratio-levels",
            ),
        ]
    )


def _panel(key: str, title: str, meaning: str) -> Any:
    height = HEIGHTS.get(key.partition(":")[0], HEIGHT)
    return html.Figure(
        [
            html.Figcaption(
                [
                    html.Span(title, className="signal"),
                    html.Span(meaning, className="meaning", title=meaning),
                ]
            ),
            dcc.Graph(
                id={"type": "ratio-panel", "key": key},
                figure={"data": [], "layout": {"height": height, "xaxis": {"visible": False},
                                               "yaxis": {"visible": False}}},
                config=CONFIG,
                style={"height": f"{height}px"},
            ),
        ],
        className=f"panel {key.partition(':')[0]}",
        **parts.aria(label=f"{title}: {meaning}"),
    )  # fmt: skip


def callbacks(app: App, desk: Desk) -> None:
    @app.callback(
        Output({"type": "ratio-panel", "key": ALL}, "figure"),
        Output("ratios-shown", "data"),
        Output("ratios-read", "children"),
        Output("ratios-reading", "disabled"),
        Input("view", "data"),
        Input("theme", "data"),
        Input("ratios-tick", "data"),
        Input("ratios-reading", "n_intervals"),
        State("ratios-shown", "data"),
        State("run", "data"),
    )
    def show(
        view: View | None, theme: str | None, rows: Any, reading: int | None, shown: Any, name: str
    ) -> Any:
        keys = [part["id"]["key"] for part in ctx.outputs_list[0]]
        if view is None or theme is None or not keys:
            raise PreventUpdate
        try:
            read = desk.histories(name).refresh(A_TICK_SECONDS)
            state = [read, desk.columns(name).rows, len(desk.alarms(name)), view, theme]
            if state == shown:
                raise PreventUpdate
            drawn = draw(desk, name, view, theme, keys)
        except UnknownRun:
            raise PreventUpdate from None
        return [drawn[key] for key in keys], state, _progress(read), read >= 1

    app.clientside_callback(
        ClientsideFunction("ratios", "zoom"),
        Output("ratios-whole", "style"),
        Input({"type": "ratio-panel", "key": ALL}, "relayoutData"),
        Input("ratios-whole", "n_clicks"),
        Input("view", "data"),
    )


TAB = Tab("ratios", "IS ratios", layout, callbacks)
