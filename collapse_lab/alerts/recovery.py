"""When is an alarm over: its signals have been back for a while.

A single record wavers more than the mean that was judged, so it is a mean again that must be back:
of its last ten values, on the side on which the signal left its course. After a fall of the reward
the reward alone is asked: what moved along with it may have settled elsewhere, no fault there.
"""

from __future__ import annotations

import itertools
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
    _records: int = 0
    _last: dict[str, deque[tuple[int, float]]] = field(
        default_factory=dict[str, deque[tuple[int, float]]]
    )
    """The last values of each signal, with the number of the record that each came with."""

    def update(self, record: Record) -> str:
        """Says what is back once all of it is, "" until then. A number that is not finite is not
        back, nor is a signal that has gone; a record without it says nothing."""
        self._records += 1
        said: list[str] = []
        for part in _asked(self.alarm):
            last = self._last.setdefault(part.signal, deque(maxlen=RECOVERED_RECORDS))
            if part.signal in record.values:
                last.append((self._records, record.values[part.signal]))
            mean = sum(value for _, value in last) / RECOVERED_RECORDS
            if len(last) == RECOVERED_RECORDS and not self._gone(last) and _is_back(part, mean):
                said.append(f"{part.signal} is back at {mean:.3g}")
        if not said or len(said) < len(self._last):
            return ""
        return f"{', '.join(said)}, over {RECOVERED_RECORDS} records"

    def _gone(self, last: deque[tuple[int, float]]) -> bool:
        """Whether it has been silent for longer than between any two of its last values."""
        came = [number for number, _ in last]
        return self._records - came[-1] > max(b - a for a, b in itertools.pairwise(came))


def _asked(alarm: Alarm) -> tuple[Evidence, ...]:
    fallen = [part for part in alarm.evidence if part.family == REWARD and part.direction == "down"]
    return tuple(fallen) or alarm.evidence


def _is_back(part: Evidence, mean: float) -> bool:
    within = mean >= part.low if part.direction == "down" else mean <= part.high
    return within and math.isfinite(mean)
