"""What the rules of mechanisms look at: evidence by signal, levels before a change and after it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from collapse_lab.detectors.history import History, Levels
from collapse_lab.records import Evidence

LEAST_SCORE = 3.0
"""Evidence with a smaller CUSUM is no move."""
AT_ONCE = 2
"""Steps within which moves count as simultaneous: an onset is not known better."""


@dataclass(frozen=True, slots=True)
class Clue:
    """How strongly a rule speaks, since when what it saw has moved, and what that is."""

    strength: int
    since: float
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """A signal that left its course `since` a step; infinity where only its level tells so."""

    signal: str
    since: float
    direction: str

    def __str__(self) -> str:
        since = f" since {self.since}" if math.isfinite(self.since) else ""
        return f"{self.signal} {self.direction}{since}"


@dataclass(frozen=True, slots=True)
class Scene:
    """What the rules look at: evidence by signal, and levels before and after step `since`."""

    evidence: Mapping[str, Evidence]
    history: History
    since: int

    def levels(self, name: str) -> Levels:
        return self.history.levels(name, self.since)

    def is_logged(self, name: str) -> bool:
        return not math.isnan(self.levels(name).first)

    def move(self, direction: str, *names: str) -> Move | None:
        """The first of these signals to go that way: by its excursion, else by its level."""
        moves = [
            Move(part.signal, part.since, direction)
            for part in map(self.evidence.get, names)
            if part and part.direction == direction and part.score >= LEAST_SCORE
            if math.isfinite(part.observed) and self.levels(part.signal).moved in (direction, "")
        ]
        moves = moves or [
            Move(name, math.inf, direction)
            for name in names
            if self.levels(name).moved == direction
        ]
        return min(moves, key=lambda move: move.since, default=None)

    def is_first(self, move: Move) -> bool:
        """Whether its excursion began before all others but the reward's."""
        others = [
            part.since
            for part in self.evidence.values()
            if part.family != "reward" and part.score >= LEAST_SCORE
        ]
        return move.since <= min(others, default=0) + AT_ONCE
