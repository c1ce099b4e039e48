"""What a null in a log means: a NaN that the writer could not express, or a value that is missing.

Many loggers write NaN as null. An export of a data frame has a null, too, wherever a column has
nothing to say, such as an evaluation's score between evaluations. What came before tells which.
"""

from __future__ import annotations

from collections.abc import Iterable, Set

NULL = "null in the log where a number was due: JSON cannot express NaN"
STEADY = 2
"""Numbers on end after which a key's next one is due. Between the nulls of a column that is filled
now and then they stand alone."""


class Nulls:
    """Decides row by row, by what came before: a log that grows is told the same as a whole one.

    A null is a NaN when a number was due, and the key stays lost until its next number. Where a row
    has numbers that were not due, it is one of another kind, and its nulls are missing values.
    """

    def __init__(self) -> None:
        self._due: set[str] = set()
        self._lost: set[str] = set()
        self._on_end: dict[str, int] = {}
        """Numbers on end of every key that is not due yet."""

    def lost(self, numbers: Set[str], nulls: Iterable[str]) -> list[str]:
        """Those of a row's `nulls` that stand for a NaN."""
        usual = numbers <= self._due
        if not usual:
            for key in numbers - self._due:
                self._on_end[key] = self._on_end.get(key, 0) + 1
                self._lost.discard(key)
                if self._on_end[key] >= STEADY:
                    self._due.add(key)
        lost: list[str] = []
        for key in nulls:
            if key not in self._due:
                self._on_end[key] = 0
            if usual and (key in self._due or key in self._lost):
                self._due.discard(key)
                self._lost.add(key)
                self._on_end[key] = 0
                lost.append(key)
        return lost
