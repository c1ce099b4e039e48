"""All that the panel has learned of a run, and what it had learned earlier on.

A run that goes back to a checkpoint overwrites what came after it. What detectors have learned of
that attempt would hide the next one: its values are the usual ones by then, its excursions still
run, and what was told is not told twice. So the panel goes back too.
"""

from __future__ import annotations

import math
import pickle
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from collapse_lab.detectors.base import Detector
from collapse_lab.detectors.clues import ASKED
from collapse_lab.detectors.excursions import Excursions
from collapse_lab.detectors.frontend import FrontEnd
from collapse_lab.detectors.history import History
from collapse_lab.detectors.reward import PARTS, Reward
from collapse_lab.detectors.scale import JUDGED
from collapse_lab.records import Record
from collapse_lab.signals import SIGNALS

LEADING_FAMILIES = tuple(dict.fromkeys(SIGNALS[name].family for name in SIGNALS if name in JUDGED))
REMEMBERED_STEPS = 1024
CONSTANT_FOR = 20
EVERY, MOST = 8, 16
"""Records between two states that are kept, and how many are: the older, the farther apart."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a run lets itself be judged by.

    `monitored` signals have residuals; `warming_up` have too short a history; `constant` have
    not moved and may be so by construction, so they are unavailable, not healthy; `missing`
    families log nothing that can be judged.
    """

    monitored: tuple[str, ...]
    warming_up: tuple[str, ...]
    constant: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(slots=True)
class State:
    """`residuals` are the last record's, and `steps` those of the last records."""

    front: FrontEnd
    detectors: list[Detector]
    excursions: Excursions = field(default_factory=Excursions)
    history: History = field(default_factory=lambda: History(ASKED))
    reward: Reward = field(default_factory=Reward)
    parts: tuple[Reward, ...] = field(default_factory=lambda: tuple(Reward((n,)) for n in PARTS))
    residuals: dict[str, float] = field(default_factory=dict[str, float])
    steps: deque[int] = field(default_factory=lambda: deque(maxlen=REMEMBERED_STEPS))
    records: int = 0
    _same: dict[str, tuple[float, int]] = field(default_factory=dict[str, tuple[float, int]])

    def count_constant(self, record: Record) -> None:
        for name, value in record.values.items():
            if name in JUDGED:
                last, records = self._same.get(name, (math.nan, 0))
                self._same[name] = value, records + 1 if value == last else 1

    def coverage(self) -> Coverage:
        """What is monitored at this moment, and what is not and why."""
        constant = tuple(
            name
            for name, (_, records) in self._same.items()
            if records >= CONSTANT_FOR and SIGNALS[name].constant
        )
        monitored: list[str] = []
        warming: list[str] = []
        for name, u in self.residuals.items():
            if name not in constant:
                (monitored if math.isfinite(u) else warming).append(name)
        present = {SIGNALS[name].family for name in (*monitored, *warming)}
        missing = tuple(family for family in LEADING_FAMILIES if family not in present)
        return Coverage(tuple(monitored), tuple(warming), constant, missing)


class Kept(NamedTuple):
    """A state as it was after so many records, of which the last had this step."""

    records: int
    step: int
    state: bytes


@dataclass(slots=True)
class Past:
    """States that were, the oldest first: few of long ago, all of the last ones."""

    _kept: list[Kept] = field(default_factory=list[Kept])

    def keep(self, state: State) -> None:
        """Keeps one in `EVERY`. Of too many that one goes whose neighbours are nearest to each
        other, for their age."""
        if state.records % EVERY:
            return
        kept = self._kept
        kept.append(Kept(state.records, state.steps[-1], pickle.dumps(state)))
        if len(kept) > MOST:

            def gap(place: int) -> float:
                before, after = kept[place - 1].records, kept[place + 1].records
                return (after - before) / (state.records - before)

            del kept[min(range(1, MOST), key=gap)]

    def before(self, step: int) -> State | None:
        """The last state that knows nothing of this step or later ones, None where there is none;
        those after it are forgotten."""
        while self._kept and self._kept[-1].step >= step:
            self._kept.pop()
        return pickle.loads(self._kept[-1].state) if self._kept else None
