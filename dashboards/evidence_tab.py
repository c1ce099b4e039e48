"""The run page's evidence: which signal left its healthy band first, and what was said by then."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dash import Input, Output, State, dcc, html
from dash.exceptions import PreventUpdate

from collapse_lab.dashboards import parts, rollouts
from collapse_lab.dashboards.desk import Desk
from collapse_lab.dashboards.lanes import Scale, Timeline, chosen, key_of, timeline
from collapse_lab.dashboards.page import App, Tab
from collapse_lab.dashboards.root import UnknownRun
from collapse_lab.dashboards.view import View, run_link
from collapse_lab.inert import inert
from collapse_lab.mechanisms import mechanism
from collapse_lab.records import Alarm, Evidence, Suspicion, told_first
from collapse_lab.report.samples import samples_around
from collapse_lab.report.words import band, number
from collapse_lab.signals import SIGNALS
from collapse_lab.store import SAMPLES

MOST_ALARMS = 12
EARLY = 25
"""Percent of a track: bars that begin before have no room for a word on their left."""
ARROWS = {"up": "\u2191", "down": "\u2193"}


def layout(desk: Desk, name: str, view: View) -> Any:
    alarms = desk.alarms(name)
    return html.Div(
        [
            _choice(alarms, view),
            dcc.Store(id="evidence-shown"),
            html.Div(id="evidence-content"),
        ],
        className="evidence",
    )


def _choice(alarms: Sequence[Alarm], view: View) -> Any:
    told = told_first(alarms)
    if told is None or len(alarms) < 2:
        return None
    ordered = [told, *(alarm for alarm in alarms if alarm is not told)][:MOST_ALARMS]
    options = {key_of(one): f"{one.severity} at {one.step}" for one in ordered}
    return html.Div(
        parts.chips("alarm", options, view, "What led to the"), className="toolbar slim"
    )


def content(desk: Desk, name: str, view: View) -> list[Any]:
    """The tab for the alarm that the address names. Raises UnknownRun."""
    alarms = desk.alarms(name)
    told = told_first(alarms)
    file = desk.folder(name) / SAMPLES
    if told is None:
        return [
            parts.empty(
                "No alarm, so there is no evidence",
                "When one is raised, this page shows which signal left its healthy band first, "
                "second and third.",
            ),
            *_rollouts(rollouts.columns(samples_around(file, None))),
        ]
    about = chosen(alarms, view.get("alarm"), told)
    return [
        *_moved(name, timeline(alarms, about)),
        *_rollouts(rollouts.columns(samples_around(file, about))),
    ]


def _rollouts(shown: Any) -> list[Any]:
    return [html.H2("Rollouts"), shown]


def _moved(name: str, told: Timeline) -> list[Any]:
    alarm = told.alarm
    count = len(told.lanes) + told.left_out
    signals = f"{count} signal{'s' * (count != 1)}"
    return [
        html.H2(
            [
                f"{signals} moved" if count else "No single signal stands behind it",
                html.Span(f"{alarm.detector}, {alarm.severity} at step {alarm.step:,}",
                          className="count"),
            ]
        ),
        html.P(_sentence(told), className="muted"),
        html.Div(
            [
                _axis(told),
                html.Ol([_lane(name, told, rank, part)
                         for rank, part in enumerate(told.lanes, 1)]),
                html.P(f"and {told.left_out} more, later.", className="muted")
                if told.left_out else None,
            ],
            className="lanes",
        ) if told.lanes else None,
        _keys(told),
        _said(told),
        html.H2("What may have gone wrong, and what to try"),
        *(map(_suspicion, alarm.suspicions) if alarm.suspicions else [_unclear()]),
    ]  # fmt: skip


def _sentence(told: Timeline) -> str:
    alarm = told.alarm
    low, high = alarm.since_interval
    began = f"step {low:,}" if low == high else f"steps {low:,} and {high:,}"
    text = f"The change began {'at' if low == high else 'between'} {began}. "
    if alarm.last_healthy_step is not None:
        text += f"Last healthy step: {alarm.last_healthy_step:,}. "
    return text + "A lane opens the signal's own panel."


def _axis(told: Timeline) -> Any:
    ticks = [html.Span(f"{step:,}", style=_at(told.scale, step)) for step in told.scale.ticks()]
    return html.Div([html.Span(ticks, className="track ticks")], className="lane axis")


def _lane(name: str, told: Timeline, rank: int, part: Evidence) -> Any:
    scale, alarm = told.scale, told.alarm
    known = SIGNALS.get(part.signal)
    left, right = scale.percent(part.since), scale.percent(alarm.step)
    window = {"from": f"{scale.low:.0f}", "to": f"{scale.high + (scale.high - scale.low) / 3:.0f}"}
    return html.Li(
        dcc.Link(
            [
                html.Span(str(rank), className="rank"),
                html.Span(
                    [
                        _arrow(part),
                        html.Span(inert(part.signal), className="signal"),
                        html.Span(part.family, className="family-name"),
                    ],
                    className="who",
                    title=known.meaning if known else "",
                ),
                html.Span(
                    [
                        *_guides(told),
                        html.Span(
                            html.Span(f"since {part.since:,}", className="since"),
                            className="bar-lane early" if left < EARLY else "bar-lane",
                            style={"left": f"{left}%", "width": f"{max(right - left, 0.6)}%"},
                        ),
                    ],
                    className="track",
                ),
                html.Span(_observed(part), className="observed"),
            ],
            href=run_link(name, tab="signals", q=part.signal, **window),
            className=f"lane family-{part.family}",
        )
    )  # fmt: skip


def _arrow(part: Evidence) -> Any:
    """Which way it went; a value that is not finite went none."""
    if not math.isfinite(part.observed):
        return html.Span(className="arrow")
    return html.Span(ARROWS[part.direction], className="arrow", title=f"went {part.direction}")


def _observed(part: Evidence) -> list[Any]:
    """Observed against expected."""
    expected = f" where {number(part.expected)} was expected" * math.isfinite(part.expected)
    return [
        html.Strong(number(part.observed)),
        f"{expected} (healthy: {band(part)}), {part.bad_steps} of {part.steps} records",
    ]


def _guides(told: Timeline) -> list[Any]:
    """What all lanes share: where the change began, the last healthy step, notices, the alarm."""
    scale, alarm = told.scale, told.alarm
    low, high = (scale.percent(step) for step in alarm.since_interval)
    marks = [
        html.Span(className="guide began",
                  style={"left": f"{low}%", "width": f"{max(high - low, 0.4)}%"}),
        *(html.Span(className="guide notice", style=_at(scale, notice.step))
          for notice in told.notices),
        html.Span(className=f"guide {alarm.severity}", style=_at(scale, alarm.step)),
    ]  # fmt: skip
    healthy = alarm.last_healthy_step
    if healthy is not None and healthy >= scale.low:
        marks.append(html.Span(className="guide healthy", style=_at(scale, healthy)))
    return marks


def _at(scale: Scale, step: float) -> dict[str, str]:
    return {"left": f"{scale.percent(step)}%"}


def _keys(told: Timeline) -> Any:
    marks = {
        "key-alarm": "the alarm",
        "key-watch": "a notice before it",
        "key-since": "the change began",
        "key-healthy": "last healthy step",
    }
    if not told.notices:
        del marks["key-watch"]
    return html.Ul([html.Li(text, className=key) for key, text in marks.items()], className="keys")


def _said(told: Timeline) -> Any:
    """Notices before the alarm, what the detector notes, and what it could not see."""
    alarm = told.alarm
    facts = [
        *(parts.fact("Note", inert(note, 400)) for note in alarm.notes),
        *(
            parts.fact(f"{one.severity.capitalize()} at {one.step:,}", inert(one.message, 400))
            for one in told.notices
        ),
    ]
    if alarm.not_monitored:
        unseen = ", ".join(inert(name) for name in alarm.not_monitored)
        facts.append(parts.fact("Not judged", unseen))
    return html.Dl(facts, className="said") if facts else None


def _suspicion(one: Suspicion) -> Any:
    known = mechanism(one.mechanism)
    seen = inert(f"Seen here: {'; '.join(one.because)}.", 400) if one.because else ""
    return html.Div(
        [
            html.H3(inert(known.name)),
            html.P(f"{known.meaning} {seen}", className="muted"),
            html.Ul(
                [
                    html.Li([f"{remedy.text} ", html.Span(remedy.source, className="muted")])
                    for remedy in known.remedies
                ]
            ),
        ],
        className="mechanism",
    )


def _unclear() -> Any:
    return html.P("Unclear: what moved fits no known mechanism.", className="muted")


def callbacks(app: App, desk: Desk) -> None:
    @app.callback(
        Output("evidence-content", "children"),
        Output("evidence-shown", "data"),
        Input("view", "data"),
        Input("run-tick", "data"),
        State("evidence-shown", "data"),
        State("run", "data"),
    )
    def show(view: View | None, tick: Any, shown: Any, name: str) -> Any:
        if view is None:
            raise PreventUpdate
        try:
            state = [view.get("alarm"), len(desk.alarms(name))]
            if state == shown:
                raise PreventUpdate
            return content(desk, name, view), state
        except UnknownRun:
            raise PreventUpdate from None


TAB = Tab("evidence", "Evidence", layout, callbacks)
