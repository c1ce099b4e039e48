"""What stands upright in every panel of a run: its alarms, and what happened to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from collapse_lab.dashboards.style import Palette
from collapse_lab.records import Alarm

CHECKPOINT_MARK = "checkpoint"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to the run as a whole, at an x. `kind`: restart, intervention, lr
    (its jump), or CHECKPOINT_MARK."""

    x: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Shade:
    """An alarm in axis units: when it was raised, the interval in which the change began, and the
    last step that still looked healthy. `overtaken` where the run has gone back behind it."""

    x: float
    low: float
    high: float
    healthy: float | None
    alarm: Alarm
    overtaken: bool = False


def uprights(
    colours: Palette,
    shades: Sequence[Shade],
    events: Sequence[Event] = (),
    since: bool = True,
    layer: str = "below",
) -> list[dict[str, Any]]:
    """Alarms and events over the whole height of a panel; `since` also shades where the change
    of a firm alarm began."""
    shapes: list[dict[str, Any]] = []
    for shade in shades:
        firm = shade.alarm.severity != "watch"
        colour = getattr(colours, shade.alarm.severity)
        if firm and since:
            shapes.append(upright(shade.low, max(shade.high, shade.low), colours.since))
        if firm and shade.healthy is not None:
            shapes.append(_line(shade.healthy, colours.healthy, 1.4, "4px,3px"))
        dash = "2px,3px" if shade.overtaken else "solid"
        shapes.append(_line(shade.x, colour, 1.6 if firm else 1, dash if firm else "dot"))
    lines = [event.x for event in events if event.kind != CHECKPOINT_MARK]
    shapes += [_line(x, colours.muted, 1, "dash") for x in lines]
    return [shape | {"layer": layer} for shape in shapes]


def upright(low: float, high: float, colour: str) -> dict[str, Any]:
    """A stretch of x over the whole height."""
    return {
        "type": "rect", "xref": "x", "yref": "paper", "x0": low, "x1": high, "y0": 0, "y1": 1,
        "fillcolor": colour, "line": {"width": 0}, "layer": "below",
    }  # fmt: skip


def _line(x: float, colour: str, width: float, dash: str) -> dict[str, Any]:
    return {
        "type": "line", "xref": "x", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": 1,
        "line": {"color": colour, "width": width, "dash": dash},
    }  # fmt: skip
