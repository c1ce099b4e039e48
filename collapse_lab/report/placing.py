"""Where in a run's records an alarm was raised, and what led up to it.

A run that was resumed repeats the steps of earlier attempts, so that an alarm's step alone does
not tell.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from collapse_lab.records import RESTART, Alarm, Record


def record_of(alarm: Alarm, records: Sequence[Record], written: float = math.inf) -> int:
    """Index of the record that raised an alarm, which was written at the time `written` or before.

    An alarm says which restart it follows: it is of an attempt that began there, of the last such
    one that it can have been written in.
    """
    attempts = _attempts(records)
    following = [one for one in attempts[1:] if alarm.restart == records[one.start].step]
    for attempt in (*reversed(following), *attempts):
        at = next((index for index in attempt if records[index].step >= alarm.step), None)
        if at is not None and not records[at].time > written:
            return at
    return len(records) - 1


def line_of(records: Sequence[Record], at: int) -> list[int]:
    """Indices of the attempt that record `at` is of, and of what it went on from."""
    attempt = next(one for one in _attempts(records) if at in one)
    line = list(reversed(attempt))
    start = records[attempt.start].step if attempt.start else -math.inf
    for index in range(attempt.start - 1, -1, -1):
        if records[index].step < start:
            line.append(index)
        if RESTART in records[index].notes:
            start = min(start, records[index].step)
    return line[::-1]


def others_of(records: Sequence[Record], line: Sequence[int]) -> list[list[int]]:
    """Indices of what other attempts than those of a line have logged, one list an attempt."""
    taken = set(line)
    left = ([index for index in one if index not in taken] for one in _attempts(records))
    return [indices for indices in left if indices]


def before(alarm: Alarm, alarms: Sequence[Alarm]) -> list[Alarm]:
    """The alarms that came before one in the same attempt, or in what that went on from."""
    found: list[Alarm] = []
    later, bound = alarm, math.inf
    for one in reversed(alarms[: alarms.index(alarm)]):
        if one.restart != later.restart or one.step > later.step:  # the run went back between them
            bound = min(bound, -math.inf if later.restart is None else later.restart)
        if one.step < bound:
            found.append(one)
        later = one
    return found[::-1]


def _attempts(records: Sequence[Record]) -> list[range]:
    """Indices from each restart to the next."""
    starts = [index for index, record in enumerate(records) if RESTART in record.notes]
    bounds = sorted({0, *starts, len(records)})
    return [range(start, end) for start, end in itertools.pairwise(bounds)]
