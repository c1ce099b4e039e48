"""When is an alarm over: its signals have been back for a while.

A single record wavers more than the mean that was judged, so it is a mean again that must be back:
of ten records, on the side on which the signal left its course. After a fall of the reward the
reward alone is asked: what moved along with it may have settled elsewhere, and be no fault there.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from collapse_lab.records import Alarm, Evidence, Record

RECOVERED_RECORDS = 10
REWARD = "reward"


@dataclass(slots=True)
class Recovery:
    """Follows one alarm's signals, record by record."""

    alarm: Alarm
    _last: dict[str, deque[float]] = field(default_factory=dict[str, deque[float]])

    def update(self, record: Record) -> str:
        """Says what is back once all of it is, "" until then; a number that is missing or not
        finite is not back."""
        said: list[str] = []
        for part in _asked(self.alarm):
            last = self._last.setdefault(part.signal, deque(maxlen=RECOVERED_RECORDS))
            last.append(record.values.get(part.signal, math.nan))
            mean = sum(last) / len(last)
            if len(last) == RECOVERED_RECORDS and _is_back(part, mean):
                said.append(f"{part.signal} is back at {mean:.3g}")
        if not said or len(said) < len(self._last):
            return ""
        return f"{', '.join(said)}, over {RECOVERED_RECORDS} records"


def _asked(alarm: Alarm) -> tuple[Evidence, ...]:
    fallen = [part for part in alarm.evidence if part.family == REWARD and part.direction == "down"]
    return tuple(fallen) or alarm.evidence


def _is_back(part: Evidence, mean: float) -> bool:
    within = mean >= part.low if part.direction == "down" else mean <= part.high
    return within and math.isfinite(mean)
