"""The panel: every detector over one stream of records, and what each alarm says.

    panel = Panel(planned_steps=500)
    for record in records:
        for alarm in panel.update(record): ...

Causal, constant in memory, picklable: saved and restored it goes on where it was.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field, replace
from typing import Any

from collapse_lab.configured.suspects import Suspects, suspects_of
from collapse_lab.detectors.base import Detector, Finding, Scored, Step
from collapse_lab.detectors.clues import ASKED
from collapse_lab.detectors.cusum import CusumWatch
from collapse_lab.detectors.edetector import ALPHA, EDetector
from collapse_lab.detectors.excursions import Excursions
from collapse_lab.detectors.frontend import EXCUSED_STEPS, FrontEnd
from collapse_lab.detectors.hazard import Hazard
from collapse_lab.detectors.history import History
from collapse_lab.detectors.limits import Limits
from collapse_lab.detectors.movement import Movement
from collapse_lab.detectors.naming import likely, not_considered
from collapse_lab.detectors.prior import Prior, shipped
from collapse_lab.detectors.reward import Reward
from collapse_lab.detectors.reward_drop import RewardDrop
from collapse_lab.detectors.rules import RULES, Stuck
from collapse_lab.detectors.scale import JUDGED
from collapse_lab.records import RESTART, Alarm, Evidence, Record
from collapse_lab.signals import SIGNALS

DETECTORS: dict[str, type[Detector]] = {
    kind.name: kind for kind in (*RULES, CusumWatch, EDetector, RewardDrop)
}
SCORED: tuple[type[Scored], ...] = (CusumWatch, EDetector, RewardDrop, Hazard, Movement)
"""What can be calibrated. Those that are not among `DETECTORS` run where limits name them."""
LEADING_FAMILIES = tuple(dict.fromkeys(SIGNALS[name].family for name in SIGNALS if name in JUDGED))
REMEMBERED_STEPS = 1024
CONSTANT_FOR = 20
MOST_DESCRIBED = 2
MOST_MOVED = 24
"""Signals whose order names a mechanism; an alarm keeps the strongest few as its evidence."""


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
class Panel:
    """All detectors of `DETECTORS` behind one front end.

    `planned_steps`, when the run's length is known, makes the e-detector a little faster. `prior`
    is the population's healthy spread, by default the one shipped with the package. `limits` are
    calibrated ones, whose scores were taken without a planned length, so that it is not used; or
    such as were set by hand: then the e-detector's is its alpha. `config` is the run's own, which
    rules out some of the mechanisms that an alarm may name; it changes no alarm.
    """

    planned_steps: int | None = None
    prior: Prior | None = None
    limits: Limits | None = None
    config: InitVar[Mapping[str, Any] | None] = None
    _front: FrontEnd = field(init=False)
    _excursions: Excursions = field(default_factory=Excursions)
    _history: History = field(default_factory=lambda: History(ASKED))
    _suspects: Suspects = field(init=False)
    _detectors: list[Detector] = field(init=False)
    _steps: deque[int] = field(default_factory=lambda: deque(maxlen=REMEMBERED_STEPS))
    _residuals: dict[str, float] = field(default_factory=dict[str, float])
    _same: dict[str, tuple[float, int]] = field(default_factory=dict[str, tuple[float, int]])
    _records: int = 0
    _restart: int | None = None
    _reward: Reward = field(default_factory=Reward)

    def __post_init__(self, config: Mapping[str, Any] | None) -> None:
        self._front = FrontEnd(shipped() if self.prior is None else self.prior)
        self._suspects = suspects_of(config)
        limits = self.limits
        planned_steps = None if limits and not limits.by_hand else self.planned_steps
        self._detectors = [
            EDetector(planned_steps=planned_steps) if kind is EDetector else kind()
            for kind in DETECTORS.values()
        ]
        if limits:
            self._detectors += [
                kind()
                for kind in SCORED
                if kind.name in limits.by_detector and kind.name not in DETECTORS
            ]
        for detector in self._detectors:
            if limits and isinstance(detector, EDetector) and limits.by_hand:
                detector.alpha = ALPHA ** limits.by_detector.get(detector.name, 1.0)
            elif limits and isinstance(detector, SCORED):
                detector.limit = limits.by_detector.get(detector.name)

    def update(self, record: Record) -> list[Alarm]:
        """Alarms that this record raises, the most severe first; most records raise none."""
        step = self.see(record)
        record = step.record
        self._history.update(record)
        self._residuals = {
            name: float(u) for name, u in zip(step.residuals.names, step.residuals.u, strict=True)
        }
        self._count_constant(record)
        alarms = [
            self._alarm(detector, found, record)
            for detector in self._detectors
            if (found := detector.update(step)) is not None
        ]
        self._steps.append(record.step)
        self._records += 1
        order = {"critical": 0, "alarm": 1, "watch": 2}
        return sorted(alarms, key=lambda alarm: order[alarm.severity])

    def see(self, record: Record) -> Step:
        """What the detectors are given for this record. `update` does this by itself."""
        if self.limits:
            record = self.limits.heard(record)
        if RESTART in record.notes:
            self._restart = record.step
        excused = (
            self._restart is not None
            and self._restart <= record.step < self._restart + EXCUSED_STEPS
        )
        residuals = self._front.update(record)
        if excused:
            self._excursions.grow(residuals.names)
        else:
            self._excursions.update(residuals)
        deviations = {} if excused else self._excursions.deviations()
        self._reward.update(record.values)
        return Step(record, residuals, self._excursions, deviations, self._reward, excused)

    def residuals(self) -> dict[str, float]:
        """The last record's whitened residuals, signed by the signal's scale; NaN while a signal
        is absent or warming up."""
        return self._residuals

    def cusums(self) -> dict[str, float]:
        """Signal -> its CUSUM after the last record, in whichever bad direction it is larger; NaN
        where the record says nothing of the signal, or too little is known of it yet."""
        larger = self._excursions.score.max(axis=0, initial=0.0).tolist()
        return {
            name: score if math.isfinite(u) else math.nan
            for (name, u), score in zip(self._residuals.items(), larger, strict=True)
        }

    def scores(self) -> dict[str, float]:
        """Detector -> how much of its shipped limit it has reached at the last record."""
        return {d.name: d.score for d in self._detectors if isinstance(d, SCORED)}

    def chances(self) -> dict[str, dict[int, float]]:
        """Detector -> horizon in records -> the chance it states of a collapse within it, NaN while
        it cannot tell; only those that do."""
        return {d.name: d.chances() for d in self._detectors if isinstance(d, Hazard)}

    def coverage(self) -> Coverage:
        """What is monitored at this moment, and what is not and why."""
        constant = tuple(
            name
            for name, (_, records) in self._same.items()
            if records >= CONSTANT_FOR and SIGNALS[name].constant
        )
        monitored: list[str] = []
        warming: list[str] = []
        for name, u in self._residuals.items():
            if name not in constant:
                (monitored if math.isfinite(u) else warming).append(name)
        present = {SIGNALS[name].family for name in (*monitored, *warming)}
        missing = tuple(family for family in LEADING_FAMILIES if family not in present)
        return Coverage(tuple(monitored), tuple(warming), constant, missing)

    def _count_constant(self, record: Record) -> None:
        for name, value in record.values.items():
            if name in JUDGED:
                last, records = self._same.get(name, (math.nan, 0))
                self._same[name] = value, records + 1 if value == last else 1

    def _alarm(self, detector: Detector, found: Finding, record: Record) -> Alarm:
        name = detector.name
        if self.limits and isinstance(detector, SCORED):
            found = self.limits.apply(name, found, self._records + 1)
            name = self.limits.name(name)
        if self.limits:
            found = self.limits.excuse(found)
        excursions = self._excursions.evidence(most=MOST_MOVED)
        moved = replace(found, evidence=(*found.evidence, *excursions))
        if self._restart is not None:
            found, moved = (one.told_at(record.step, self._restart) for one in (found, moved))
        coverage = self.coverage()
        healthy = [step for step in self._steps if step < found.since_interval[0]]
        notes = found.notes
        if self._restart is not None:
            end = self._restart + EXCUSED_STEPS
            notes += (f"steps {self._restart} to {end} follow a restart and were excused",)
        not_monitored = (
            *(f"{family} (not logged)" for family in coverage.missing),
            *(f"{name} (constant)" for name in coverage.constant),
            *(f"{name} (muted)" for name in sorted(self.limits.muted if self.limits else ())),
        )
        if not self._reward.signal:
            not_monitored += ("reward (not logged)",)
        before = min((found.since, *(part.since for part in found.evidence)))
        measured = not isinstance(detector, Stuck)  # else nothing has gone wrong but the measuring
        notes += not_considered(self._suspects) if measured else ()
        suspicions = likely(moved.evidence, self._history, before, self._suspects)
        return Alarm(
            step=record.step,
            severity=found.severity,
            detector=name,
            message=_message(found),
            since=found.since,
            since_interval=found.since_interval,
            evidence=found.evidence,
            last_healthy_step=healthy[-1] if healthy else None,
            not_monitored=not_monitored,
            notes=notes,
            suspicions=suspicions if measured else (),
        )


def _message(found: Finding) -> str:
    """The reason and the strongest signals in one sentence; `evidence` has them all."""
    parts = [part for part in found.evidence if math.isfinite(part.expected)]
    clauses = [found.reason, *(describe(part) for part in parts[:MOST_DESCRIBED])]
    if (more := len(parts) - MOST_DESCRIBED) > 0:
        clauses.append(f"and {more} more")
    return "; ".join(clauses)


def describe(part: Evidence) -> str:
    """One signal's evidence as a clause.

    >>> describe(Evidence("policy/entropy", "policy", 418, .82, .41, .3, .52, "up", 9.0, 12, 13))
    'policy/entropy up since 418: 0.82 where 0.41 was expected (0.3 to 0.52), 12 of 13 records'
    """
    clause = f"{part.signal} {part.direction} since {part.since}: {part.observed:.3g}"
    if math.isfinite(part.expected):
        clause += f" where {part.expected:.3g} was expected"
    if math.isfinite(part.low) and math.isfinite(part.high):
        clause += f" ({part.low:.3g} to {part.high:.3g})"
    return f"{clause}, {part.bad_steps} of {part.steps} records"
