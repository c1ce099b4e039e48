"""Where the alarms of a run, and what happened to it, stand on the axis of its panels."""

from __future__ import annotations

import numpy as np

from collapse_lab.dashboards.attempts import gone_back_behind
from collapse_lab.dashboards.columns import Columns, Floats
from collapse_lab.dashboards.uprights import CHECKPOINT_MARK, Event, Shade
from collapse_lab.records import EVENT, Alarm

LR, LR_JUMP = "optim/lr", 1.5
"""A learning rate that changes by this factor from one step to the next was set by somebody."""
WARM_UP = 3
"""A warm-up's first steps multiply the rate by themselves."""
NOTED = ("restart", "intervention", CHECKPOINT_MARK)
MOST_EVENTS, MOST_TEXT = 40, 80


def events(columns: Columns, x: Floats) -> list[Event]:
    """What happened to the run: restarts, jumps of the learning rate, interventions, checkpoints;
    of too many the last of these are left out."""
    found: dict[tuple[str, float], Event] = {}

    def add(kind: str, at: float, text: str) -> None:
        found.setdefault((kind, at), Event(at, kind, text))

    for told in columns.events:
        kind = told.name.removeprefix(EVENT)
        if kind in NOTED:
            add(kind, x_of(columns, x, told.step), f"{kind}: {told.text}"[:MOST_TEXT])
    for row in np.flatnonzero(np.diff(columns.attempts[: len(x)]) > 0) + 1:
        add("restart", float(x[row]), "restart")
    rate = columns.read([LR]).get(LR)
    if rate is not None:
        at = np.flatnonzero(rate.finite & (rate.values > 0))
        at = at[at < len(x)]
        jumps = np.abs(np.diff(np.log(rate.values[at]))) > np.log(LR_JUMP)
        jumps[:WARM_UP] = False
        for k in np.flatnonzero(jumps):
            old, new = rate.values[at[k]], rate.values[at[k + 1]]
            add("lr", float(x[at[k + 1]]), f"learning rate from {old:.3g} to {new:.3g}")
    kept = sorted(found.values(), key=lambda event: (event.kind == CHECKPOINT_MARK, event.x))
    return sorted(kept[:MOST_EVENTS], key=lambda event: event.x)


def x_of(columns: Columns, x: Floats, step: int) -> float:
    """Where a step stands on the axis."""
    if not len(x):
        return float(step)
    return float(x[min(int(np.searchsorted(columns.steps[: len(x)], step)), len(x) - 1)])


def shade_of(columns: Columns, x: Floats, alarm: Alarm) -> Shade:
    """An alarm on the axis."""
    low, high = (x_of(columns, x, step) for step in alarm.since_interval)
    last = alarm.last_healthy_step
    healthy = None if last is None else x_of(columns, x, last)
    overtaken = gone_back_behind(columns, alarm) is not None
    return Shade(x_of(columns, x, alarm.step), low, high, healthy, alarm, overtaken)
