"""The compare page's table: how the runs ended, and the settings that differ between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from dash import html

from collapse_lab.dashboards.compare_runs import MOST_VALUE, linked
from collapse_lab.dashboards.comparing import Chosen, differing
from collapse_lab.dashboards.desk import Desk
from collapse_lab.inert import inert

MOST_ROWS = 80


def outcome_table(desk: Desk, chosen: Chosen) -> Any:
    """How the runs ended, and the settings that differ."""
    runs = list(chosen.runs.values())
    outcome = {
        "steps": [f"{run.reached:,}" for run in runs],
        "looking back": [run.label.replace("_", " ") or "\u2013" for run in runs],
        "first alarm": [
            f"{run.alarm_severity} at {run.alarm_step}" if run.alarm_step is not None else "\u2013"
            for run in runs
        ],
        "fall began": [str(run.onset) if run.onset is not None else "\u2013" for run in runs],
        "lead in steps": [f"{run.lead:+d}" if run.lead is not None else "\u2013" for run in runs],
    }
    settings = differing(desk, chosen)
    more = len(settings) - MOST_ROWS
    head = html.Tr([html.Th("", scope="col"), *(html.Th(linked(run), scope="col") for run in runs)])
    return [
        html.H2("How they ended, and which settings differ"),
        html.Div(
            html.Table(
                [
                    html.Thead(head),
                    html.Tbody([_row(name, cells) for name, cells in outcome.items()]),
                    html.Tbody(
                        [_row(key, cells) for key, cells in list(settings.items())[:MOST_ROWS]],
                        className="settings",
                    ),
                ]
            ),
            className="wide",
            tabIndex="0",
        ),
        html.P(f"and {more} more settings.", className="muted") if more > 0 else None,
        html.P("No setting differs.", className="muted") if not settings else None,
    ]


def _row(name: str, cells: Sequence[str]) -> Any:
    usual, runs = Counter(cells).most_common(1)[0]
    stands_out = {cell for cell in cells if cell != usual} if runs > 1 else set[str]()
    return html.Tr(
        [
            html.Th(inert(name, MOST_VALUE), scope="row"),
            *(
                html.Td(inert(cell, MOST_VALUE), className="other" if cell in stands_out else "")
                for cell in cells
            ),
        ]
    )
