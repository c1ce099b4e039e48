"""What counts of a run that went back to an earlier step: its last attempt and what led up to it.

`Columns` keep the rows of an earlier attempt until a later one has overwritten them. Beyond the
step that the last attempt has reached they are what might have been: no line runs on into them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from collapse_lab.dashboards.columns import Column, Columns, Floats, Happened
from collapse_lab.records import RESTART, Alarm


def counting(columns: Columns) -> Columns:
    """The columns without the rows that an earlier attempt has left over."""
    counts = _counts(columns)
    return columns if counts.all() else Rows(columns, counts)


def left_over(columns: Columns) -> Columns | None:
    """The rows that `counting` leaves out; None where there are none."""
    counts = _counts(columns)
    return None if counts.all() else Rows(columns, ~counts)


def gone_back_behind(columns: Columns, alarm: Alarm) -> int | None:
    """The step from which the last attempt has repeated what an alarm is about; None for an alarm
    of that attempt, or of what led up to it."""
    attempts = columns.attempts
    if not len(attempts) or not attempts.max():
        return None
    start = int(columns.steps[int(attempts.argmax())])
    noted = any(told.name == RESTART and told.step == start for told in columns.events)
    return start if noted and alarm.step >= start and alarm.restart != start else None


def _counts(columns: Columns) -> NDArray[np.bool_]:
    """Which rows no later attempt has gone back behind."""
    attempts = columns.attempts
    return attempts == np.maximum.accumulate(attempts)


class Rows:
    """Some rows of a run, as they stand now."""

    def __init__(self, columns: Columns, chosen: NDArray[np.bool_]) -> None:
        self._columns, self._chosen = columns, chosen
        rows = len(chosen)
        self.steps: NDArray[np.int64] = columns.steps[:rows][chosen]
        self.times: Floats = columns.times[:rows][chosen]
        self.attempts: NDArray[np.int64] = columns.attempts[:rows][chosen]
        here = set(self.steps.tolist())
        self.events: Sequence[Happened] = [told for told in columns.events if told.step in here]

    @property
    def rows(self) -> int:
        return len(self.steps)

    @property
    def version(self) -> int:
        return self._columns.version

    @property
    def live(self) -> bool:
        return self._columns.live

    @property
    def whole(self) -> bool:
        return self._columns.whole

    @property
    def names(self) -> Sequence[str]:
        return self._columns.names

    @property
    def nbytes(self) -> int:
        return self._columns.nbytes

    def refresh(self, seconds: float = math.inf) -> None:
        self._columns.refresh(seconds)

    def read(self, names: Iterable[str]) -> dict[str, Column]:
        rows = len(self._chosen)
        return {
            name: Column(column.values[:rows][self._chosen], column.present[:rows][self._chosen])
            for name, column in self._columns.read(names).items()
        }
