"""What the workbench says, in words, of the alarms that a person's settings raise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import html

from collapse_lab.dashboards.bench import AT_ONCE_RECORDS, MOST_RECORDS
from collapse_lab.dashboards.settings import SHIPPED, Settings, stretches
from collapse_lab.dashboards.summary import counted
from collapse_lab.dashboards.view import View
from collapse_lab.inert import inert
from collapse_lab.records import Alarm, firm


def waiting(rows: int) -> str:
    return f"Judging {min(rows, MOST_RECORDS):,} records again: about {_seconds(rows)} s."


def _seconds(rows: int) -> int:
    """Reading and judging take about a millisecond a record, and a process a moment to start."""
    return 2 + min(rows, MOST_RECORDS) // 1000


def in_words(
    rows: int, settings: Settings, before: Sequence[Alarm], after: Sequence[Alarm], view: View
) -> list[Any]:
    said: list[Any] = []
    if settings == SHIPPED:
        said.append(f"As shipped: {counted(before)}.")
    else:
        said.append(f"As shipped {counted(before)}, with your settings {counted(after)}.")
        said.append(f" {_first(before, after)}")
    if rows > MOST_RECORDS:
        said.append(
            f" Only the first {MOST_RECORDS:,} of the {rows:,} records are judged here; the file "
            "works for all."
        )
    elif rows > AT_ONCE_RECORDS:
        said.append(f" {rows:,} records were judged.")
    _, wrong = stretches(view.get("expect", ""))
    if wrong:
        text = ", ".join(inert(part, 40) for part in wrong[:3])
        said.append(html.Strong(f" Not a stretch of steps: {text}. Write 100-150, or 300."))
    return said


def _first(before: Sequence[Alarm], after: Sequence[Alarm]) -> str:
    """How much earlier or later the first firm alarm comes."""
    old, new = (next((alarm.step for alarm in firm(one)), None) for one in (before, after))
    if old is None or new is None:
        if old == new:
            return ""
        return (
            f"The first alarm would be at step {new:,}." if new is not None else "No alarm is left."
        )
    if old == new:
        return f"The first alarm stays at step {old:,}."
    moved = f"{abs(new - old):,} step{'s' * (abs(new - old) != 1)}"
    return f"The first alarm comes {moved} {'later' if new > old else 'earlier'}, at {new:,}."
