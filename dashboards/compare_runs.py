"""The compare page's list of runs, which is its legend too, and what its panels do not say."""

from __future__ import annotations

from typing import Any

from dash import dcc, html

from collapse_lab.dashboards import parts
from collapse_lab.dashboards.comparing import MOST_HEALTHY, Chosen, grouping, reference_of
from collapse_lab.dashboards.comparison import LEAST_HEALTHY, MOST_RUNS, names_of
from collapse_lab.dashboards.desk import Desk
from collapse_lab.dashboards.overlays import look
from collapse_lab.dashboards.style import PALETTES, theme_of
from collapse_lab.dashboards.summary import Summary
from collapse_lab.dashboards.view import View, run_link
from collapse_lab.inert import inert

MOST_VALUE = 100


def listed_runs(desk: Desk, chosen: Chosen, view: View, theme: str | None) -> Any:
    """The list of runs, which is the legend too; under their groups when they are grouped."""
    members = grouping(desk, chosen, view)
    notes: list[Any] = _notes(desk, chosen, view)
    if members:
        listed = [
            html.Li(
                [
                    _swatch(rank, theme, wide=True),
                    html.Strong(f"{view['by']} {inert(value, MOST_VALUE)}"),
                    html.Span(f"{len(names)} run{'s' * (len(names) != 1)}", className="muted"),
                    html.Span(
                        [linked(chosen.runs[name]) for name in names], className="compare-members"
                    ),
                ],
                className="" if chosen.zero.keys() & names else "absent",
            )
            for rank, (value, names) in enumerate(members.items())
        ]
    else:
        listed = [
            html.Li(
                [
                    _swatch(rank, theme),
                    linked(summary),
                    parts.badge(summary.health),
                    html.Span(when, className="muted") if (when := _when(summary)) else None,
                    html.Button(
                        "\u00d7",
                        id={"type": "compare-drop", "run": summary.name},
                        className="drop",
                        title="Leave this run out",
                        **parts.aria(label=f"Leave {inert(summary.name)} out"),
                    ),
                ],
                className="" if summary.name in chosen.zero else "absent",
            )
            for rank, summary in enumerate(chosen.runs.values())
        ]
    return [html.Ul(listed, className="compare-runs"), *notes]


def linked(summary: Summary) -> Any:
    return dcc.Link(
        inert(summary.name, MOST_VALUE), href=run_link(summary.name), className="run-link",
        title=inert(summary.title or summary.name),
    )  # fmt: skip


def _swatch(rank: int, theme: str | None, wide: bool = False) -> Any:
    colour, dash = look(rank, PALETTES[theme_of(theme)])
    style = {"solid": "solid", "dash": "dashed", "dot": "dotted", "dashdot": "dashed"}[dash]
    width = 4 if wide else 3
    return html.Span(className="swatch", style={"borderTop": f"{width}px {style} {colour}"})


def _when(summary: Summary) -> str:
    if summary.alarm_step is None:
        return ""
    text = f"{summary.alarm_severity} at {summary.alarm_step}"
    if summary.alarm_share is None:
        text += ", before the run went back"
    return text if summary.onset is None else f"{text}, fall began at {summary.onset}"


def _notes(desk: Desk, chosen: Chosen, view: View) -> list[Any]:
    """What a person would otherwise miss in the panels."""
    said: list[str] = []
    if chosen.gone:
        names = ", ".join(inert(name, 40) for name in chosen.gone[:5])
        said.append(f"No longer here, or not to be read: {names}.")
    if len(names_of(view)) > MOST_RUNS:
        said.append(f"Only the first {MOST_RUNS} runs of the link are compared.")
    if left := [name for name in chosen.runs if name not in chosen.zero]:
        lacks = "alarm" if chosen.align == "alarm" else "fall of the reward"
        names = ", ".join(inert(name, 40) for name in left[:5])
        said.append(f"Without an {lacks}, so not drawn: {names}." if lacks == "alarm" else
                    f"Without a {lacks}, so not drawn: {names}.")  # fmt: skip
    if view.get("ref") in ("quiet", "corpus"):
        said.append(_band_note(len(reference_of(desk, view, chosen)), chosen))
    if grouping(desk, chosen, view):
        said.append("Line: median of a group's runs. Area: from the lowest to the highest of them.")
    return [html.P(" ".join(said), className="muted compare-notes")] if said else []


def _band_note(count: int, chosen: Chosen) -> str:
    if count < LEAST_HEALTHY:
        return f"A healthy band needs {LEAST_HEALTHY} healthy runs of this task; there are {count}."
    when = "at the same step" if chosen.align == "step" else "at any step"
    most = " (the latest)" if count == MOST_HEALTHY else ""
    return f"Grey: where 90 % of the values of {count} healthy runs{most} lie {when}."
