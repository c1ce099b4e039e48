"""Single measurements (run, step, key, value), as event files and databases keep them -> rows."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from collapse_lab.readers.base import Row


class Point(NamedTuple):
    """One number of one run at one step; `time` in unix seconds, `note` as in `Row.notes`."""

    step: int
    key: str
    value: float
    time: float = math.nan
    run: str = ""
    note: str = ""


class Gatherer:
    """Puts together what was measured at the same step, in the order of the steps.

    Keys of one run may be written out of step with each other (a loss after the next step's
    reward), so only a key that goes back itself says that the run was resumed. A key stated twice
    at a step makes two rows: both were observed. But a key restated with its value beside others
    (an epoch, with the summary at the end) tells nothing new.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], int] = {}
        self._attempt: dict[str, int] = {}

    def rows(self, points: Iterable[Point]) -> list[Row]:
        """Rows of these points, one run after the other."""
        table: dict[tuple[int, int, int], list[Row]] = {}
        order = {run: position for position, run in enumerate(self._attempt)}
        for point in points:
            attempt = self._attempt.setdefault(point.run, 0)
            if point.step < self._last.get((point.run, point.key), point.step):
                attempt = self._attempt[point.run] = attempt + 1
                self._last = {at: step for at, step in self._last.items() if at[0] != point.run}
            self._last[point.run, point.key] = point.step
            place = (order.setdefault(point.run, len(order)), attempt, point.step)
            _put(table.setdefault(place, []), point)
        return [row for place in sorted(table) for row in _observations(table[place])]


def _observations(rows: list[Row]) -> list[Row]:
    """The rows of a step without those that repeat a part of the first."""
    first = rows[0].values.items()
    return [rows[0], *(row for row in rows[1:] if not row.values.items() < first)]


def _put(rows: list[Row], point: Point) -> None:
    """Adds a point to the first row of its step that lacks its key."""
    free = (position for position, row in enumerate(rows) if point.key not in row.values)
    position = next(free, len(rows))
    if position == len(rows):
        rows.append(Row(point.step, {}, run=point.run))
    row = rows[position]
    rows[position] = Row(
        row.step,
        {**row.values, point.key: point.value},
        row.time if math.isnan(point.time) else point.time,
        {**row.notes, point.key: point.note} if point.note else row.notes,
        row.run,
    )
