"""The order in which signals left their healthy bands, as lanes on a shared scale. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from collapse_lab.records import Alarm, Evidence
from collapse_lab.report.case import first_to_move
from collapse_lab.report.placing import before

MOST_LANES, MOST_NOTICES = 16, 12
SLACK = 0.06
"""Of the scale, what is left free on both sides."""
LEAST_STEPS = 8


@dataclass(frozen=True, slots=True)
class Scale:
    """Steps from `low` to `high` as percent of a track."""

    low: float
    high: float

    def percent(self, step: float) -> float:
        """
        >>> Scale(100, 200).percent(150), Scale(100, 200).percent(20)
        (50.0, 0.0)
        """
        share = (step - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 3)

    def ticks(self, most: int = 6) -> list[int]:
        """Round steps, at most about so many.

        >>> Scale(57, 70).ticks()
        [60, 65, 70]
        """
        rough = max((self.high - self.low) / most, 1)
        power = 10 ** math.floor(math.log10(rough))
        stride = next(power * base for base in (1, 2, 5, 10) if power * base >= rough)
        first = math.ceil(self.low / stride)
        return [stride * k for k in range(first, math.floor(self.high / stride) + 1)]


@dataclass(frozen=True, slots=True)
class Timeline:
    """An alarm as lanes. `lanes` are the signals that moved, the first one first, those that are
    too many left out; `notices` were raised before it, since the change began."""

    alarm: Alarm
    lanes: tuple[Evidence, ...]
    left_out: int
    notices: tuple[Alarm, ...]
    scale: Scale


def timeline(alarms: Sequence[Alarm], about: Alarm) -> Timeline:
    """What led to one of a run's alarms."""
    earlier = before(about, alarms)
    order = first_to_move(about, earlier)
    began = min([about.since_interval[0], *(part.since for part in order)])
    notices = [notice for notice in earlier if notice.step >= began][-MOST_NOTICES:]
    healthy = about.last_healthy_step
    first = began if healthy is None else min(began, max(healthy, 2 * began - about.step))
    span = max(about.step - first, LEAST_STEPS)
    scale = Scale(about.step - span * (1 + SLACK), about.step + span * SLACK)
    return Timeline(
        about, tuple(order[:MOST_LANES]), len(order[MOST_LANES:]), tuple(notices), scale
    )


def key_of(alarm: Alarm) -> str:
    """What names an alarm of a run in the address."""
    return f"{alarm.step}-{alarm.detector}"


def chosen(alarms: Sequence[Alarm], key: str | None, default: Alarm) -> Alarm:
    """The alarm that the address names."""
    return next((alarm for alarm in alarms if key_of(alarm) == key), default)
