"""One run: what it is, what was heard of it, and its tabs."""

from __future__ import annotations

import time
from typing import Any

from dash import Input, Output, State, dcc, html

from collapse_lab.dashboards import parts
from collapse_lab.dashboards.attempts import gone_back_behind
from collapse_lab.dashboards.desk import Desk
from collapse_lab.dashboards.page import App, Page, Tab
from collapse_lab.dashboards.root import UnknownRun, UnreadableRun
from collapse_lab.dashboards.summary import Summary, counted
from collapse_lab.dashboards.tabs import TABS
from collapse_lab.dashboards.view import View, remembered, run_link
from collapse_lab.inert import inert
from collapse_lab.mechanisms import mechanism
from collapse_lab.records import Alarm, told_first
from collapse_lab.report.words import ended

MOST_MESSAGE = 1000


def layout(desk: Desk, view: View) -> Any:
    name = view["path"]
    summary = desk.index.summary(name)
    tab = next((tab for tab in TABS if tab.key == view.get("tab")), TABS[0])
    return html.Div(
        [
            dcc.Store(id="run", data=name),
            dcc.Store(id="run-tick"),
            remembered("tab", view),
            html.Div(_head(desk, summary), id="run-head", className="run-head"),
            html.Nav(
                [
                    dcc.Link(
                        other.title,
                        href=run_link(name, tab=other.key),
                        className="view-tab taken" if other is tab else "view-tab",
                    )
                    for other in TABS
                ],
                className="tabs",
                **parts.aria(label="Views of this run"),
            ),
            html.Div(_content(tab, desk, name, view), className="tab-content"),
        ],
        className="run-page",
    )


def _content(tab: Tab, desk: Desk, name: str, view: View) -> Any:
    """The tab, or what it says instead: the run's head stays."""
    try:
        return tab.layout(desk, name, view)
    except parts.Notice as notice:
        return parts.empty(notice.title, *notice.text)
    except UnreadableRun as error:
        return parts.empty(
            "The records of this run cannot be read", inert(str(error), MOST_MESSAGE)
        )


def callbacks(app: App, desk: Desk) -> None:
    @app.callback(
        Output("run-head", "children"),
        Input("run-tick", "data"),
        State("run", "data"),
        prevent_initial_call=True,
    )
    def refresh(stamp: str, name: str) -> Any:
        try:
            return _head(desk, desk.index.summary(name))
        except UnknownRun:
            text = "What is drawn below is what had been read of it."
            return parts.empty("This run's folder is gone", text)


def _head(desk: Desk, summary: Summary) -> list[Any]:
    alarms = desk.alarms(summary.name)
    return [
        html.Div(
            [
                html.H1(inert(summary.name), title=inert(summary.name)),
                parts.badge(summary.state),
                parts.badge(summary.health),
                html.Span(summary.title, className="muted") if summary.title else None,
            ],
            className="run-title",
        ),
        html.Dl(_facts(summary), className="facts"),
        _verdict(desk, summary, alarms),
    ]


def _facts(summary: Summary) -> list[Any]:
    steps = f"{summary.reached:,}"
    if summary.planned:
        steps += f" of {summary.planned:,}"
    if summary.steps != summary.reached:
        steps += f", {summary.steps:,} record{'s' * (summary.steps != 1)}"
    pairs = [
        ("Algorithm", summary.algorithm),
        ("Task", summary.task),
        ("Framework", summary.framework),
        ("Steps", steps),
        ("Last step", f"{parts.ago(time.time() - summary.last_time)} ago" if summary.steps else ""),
        ("Pace", f"{summary.step_seconds:.3g} s a record" if summary.step_seconds else ""),
        ("Reward, looking back", _label(summary)),
    ]
    return [parts.fact(name, value) for name, value in pairs if value]


def _label(summary: Summary) -> str:
    if summary.onset is None or not summary.label:
        return summary.label.replace("_", " ")
    text = f"{summary.label.replace('_', ' ')}, began at step {summary.onset}"
    return text if summary.label == "hard_fail" else f"{text}, half gone at {summary.cross}"


def _verdict(desk: Desk, summary: Summary, alarms: list[Alarm]) -> Any:
    if not alarms:
        waits = desk.index.to_be_judged(summary.name)
        return html.P(_silence(summary, waits), className=f"verdict {summary.health}")
    told = told_first(alarms)
    assert told is not None
    others = [alarm for alarm in alarms if alarm is not told]
    low, high = told.since_interval
    began = f"at step {low}" if low == high else f"between steps {low} and {high}"
    reason, *clauses = inert(told.message, MOST_MESSAGE).split("; ")
    lead = ""
    if summary.lead is not None and summary.lead > 0:
        what = "the numbers failed" if summary.label == "hard_fail" else "half of the gain was gone"
        lead = f" {summary.lead} step{'s' * (summary.lead != 1)} before {what}."
    return html.Div(
        [
            html.P(
                [
                    html.Strong(f"{told.severity.capitalize()} at step {told.step}"),
                    f": {ended(reason)}{lead}",
                ]
            ),
            html.Ul([html.Li(clause) for clause in clauses]) if clauses else None,
            html.P(_suspected(told)) if told.suspicions else None,
            html.P(
                [
                    f"Began {began}. ",
                    f"Last healthy step: {told.last_healthy_step}. "
                    if told.last_healthy_step is not None
                    else None,
                    f"Besides, {counted(others)}. " if others else None,
                    "Judged by this app, after the fact. " if summary.judged_here else None,
                    _overtaken(desk, summary.name, told),
                ],
                className="muted",
            ),
        ],
        className=f"verdict {told.severity}",
    )


def _suspected(alarm: Alarm) -> str:
    names = [mechanism(one.mechanism).name for one in alarm.suspicions]
    return f"It may be {' or '.join(names)}: the evidence says why, and what to try."


def _overtaken(desk: Desk, name: str, alarm: Alarm) -> str | None:
    """Whether the panels show another attempt than the one in which the alarm was raised."""
    try:
        everything = desk.everything(name)
        start, drawn = gone_back_behind(everything, alarm), desk.earlier(name, everything)
    except UnknownRun:
        return None
    if start is None:
        return None
    before = ", a dotted line under Signals what came before" if drawn else ""
    return f"Raised before the run went back to step {start}: panels show what came after{before}."


def _silence(summary: Summary, waits: bool) -> str:
    """Why there is no alarm; `waits` for the app to judge it."""
    if summary.mechanism:  # of a run without alarms: what is wrong with it
        return f"This run {summary.mechanism}."
    if summary.health == "nothing":
        if summary.steps:
            return "Nothing to judge: detectors know none of the signals that this run logs."
        return f"Nothing to judge: no step has been recorded{' yet' * summary.going}."
    if summary.health != "unjudged":
        return "No alarm so far." if summary.going else "No alarm."
    if summary.going:
        return "No alarm on file: collapse-lab watch and collapse_lab.init raise them."
    if waits:
        return "Nobody has judged this run yet; the app is about to."
    return "Nobody has judged this run; collapse-lab replay does."


PAGE = Page("/run/", "Run", layout, callbacks, menu=False)
