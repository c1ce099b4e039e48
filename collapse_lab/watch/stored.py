"""What of a log is stored already, where it is read once more from its start.

The order tells, not the content alone: a run that was resumed from a checkpoint may repeat its
steps to the last digit. And a step may be stored in parts, since its evaluation was logged after a
quiet time, which the log read at once gives as one record.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from collapse_lab.records import NEW_RUN, Record

Numbers = frozenset[tuple[str, str]]
"""Of one record; as text, in which NaN is equal to itself."""


class Stored:
    """The records that were stored, each to be met again once, in the order of its run. `run` is
    the name of the run that the last of them belongs to."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.run = ""
        self._runs: defaultdict[str, _Run] = defaultdict(_Run)
        for record in records:
            self.run = record.notes.get(NEW_RUN, self.run)
            self._runs[self.run].add(record)

    def rest(self, record: Record, run: str) -> Record | None:
        """What of the run's next record is not stored: all of it, nothing, or what was logged for
        the last stored step after that was stored."""
        return self._runs[run].rest(record)


class _Run:
    def __init__(self) -> None:
        self._parts: list[tuple[int, Numbers]] = []
        self._places: defaultdict[int, list[int]] = defaultdict(list)
        self._next = 0

    def add(self, record: Record) -> None:
        self._places[record.step].append(len(self._parts))
        self._parts.append((record.step, _numbers(record)))

    def rest(self, record: Record) -> Record | None:
        numbers = _numbers(record)
        ahead = (place for place in self._places[record.step] if place >= self._next)
        place = next((place for place in ahead if self._parts[place][1] <= numbers), None)
        if place is None:
            return record
        met = self._parts[place][1]
        self._next = place + 1
        while self._is_further_part(record.step, numbers, met):
            met |= self._parts[self._next][1]
            self._next += 1
        if self._next < len(self._parts) or met == numbers:
            return None
        values = {name: record.values[name] for name, _ in numbers - met}
        notes = {name: text for name, text in record.notes.items() if name in values}
        return replace(record, values=values, notes=notes)

    def _is_further_part(self, step: int, numbers: Numbers, met: Numbers) -> bool:
        """Whether the next stored record belongs to the same one of the log: it adds to it."""
        if self._next == len(self._parts):
            return False
        at, part = self._parts[self._next]
        return at == step and part <= numbers and not part <= met


def _numbers(record: Record) -> Numbers:
    return frozenset((name, repr(value)) for name, value in record.values.items())
