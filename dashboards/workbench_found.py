"""The workbench's picture and table: the alarms as shipped beside those of a person's settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import dcc, html

from collapse_lab.dashboards import parts
from collapse_lab.dashboards.columns import Columns
from collapse_lab.dashboards.curves import axis_of, curve
from collapse_lab.dashboards.drawing import shown_range, window_of
from collapse_lab.dashboards.figures import panel
from collapse_lab.dashboards.placed import MOST_EVENTS, events, shade_of
from collapse_lab.dashboards.settings import SHIPPED, Change, Settings, changes
from collapse_lab.dashboards.style import PALETTES, theme_of
from collapse_lab.dashboards.uprights import upright, uprights
from collapse_lab.inert import inert
from collapse_lab.labels import REWARDS
from collapse_lab.records import Alarm

HEIGHT = 170
CONFIG: Any = {"displayModeBar": False, "responsive": True, "doubleClick": False, "showTips": False,
               "staticPlot": False}  # fmt: skip
KINDS = {
    "same": "as before",
    "gone": "no longer raised",
    "new": "new",
    "moved": "at another step",
    "tier": "in another tier",
}
MOST_ROWS, MOST_TEXT = 60, 1000


def side_by_side(
    columns: Columns,
    settings: Settings,
    before: Sequence[Alarm],
    after: Sequence[Alarm],
    theme: str,
) -> list[Any]:
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
