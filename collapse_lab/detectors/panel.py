"""The panel: every detector over one stream of records, and what each alarm says.

    panel = Panel(planned_steps=500)
    for record in records:
        for alarm in panel.update(record): ...

Causal, constant in memory, picklable: saved and restored it goes on where it was.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field, replace
from typing import Any

from collapse_lab.configured.suspects import Suspects, suspects_of
from collapse_lab.detectors.base import Detector, Finding, Scored, Step
from collapse_lab.detectors.cusum import CusumWatch
from collapse_lab.detectors.edetector import ALPHA, EDetector
from collapse_lab.detectors.frontend import EXCUSED_STEPS, FrontEnd
from collapse_lab.detectors.hazard import Hazard
from collapse_lab.detectors.limits import Limits
from collapse_lab.detectors.movement import Movement
from collapse_lab.detectors.naming import likely, not_considered
from collapse_lab.detectors.prior import Prior, shipped
from collapse_lab.detectors.reward_drop import RewardDrop
from collapse_lab.detectors.rules import RULES, Stuck
from collapse_lab.detectors.state import Coverage, Past, State
from collapse_lab.records import RESTART, SEVERITIES, Alarm, Evidence, Record

DETECTORS: dict[str, type[Detector]] = {
    kind.name: kind for kind in (*RULES, CusumWatch, EDetector, RewardDrop)
}
SCORED: tuple[type[Scored], ...] = (CusumWatch, EDetector, RewardDrop, Hazard, Movement)
"""What can be calibrated. Those that are not among `DETECTORS` run where limits name them."""
MOST_DESCRIBED = 2
MOST_MOVED = 24
"""Signals whose order names a mechanism; an alarm keeps the strongest few as its evidence."""


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
    _state: State = field(init=False)
    _past: Past = field(default_factory=Past)
    _suspects: Suspects = field(init=False)
    _restart: int | None = None
    _judged: int | None = None
    """The first step after the restart that is not excused."""

    def __post_init__(self, config: Mapping[str, Any] | None) -> None:
        self._suspects = suspects_of(config)
        self._state = self._fresh()

    def _fresh(self) -> State:
        """What is known of a run that has not begun."""
        limits = self.limits
        planned = self.planned_steps  # trainers say -1 where they do not know
        used = isinstance(planned, int) and planned > 0 and not (limits and not limits.by_hand)
        planned_steps = planned if used else None
        detectors: list[Detector] = [
            EDetector(planned_steps=planned_steps) if kind is EDetector else kind()
            for kind in DETECTORS.values()
        ]
        if limits:
            detectors += [
                kind()
                for kind in SCORED
                if kind.name in limits.by_detector and kind.name not in DETECTORS
            ]
        for detector in detectors:
            if limits and isinstance(detector, EDetector) and limits.by_hand:
                detector.alpha = ALPHA ** limits.by_detector.get(detector.name, 1.0)
            elif limits and isinstance(detector, SCORED):
                detector.limit = limits.by_detector.get(detector.name)
        return State(FrontEnd(shipped() if self.prior is None else self.prior), detectors)

    def update(self, record: Record) -> list[Alarm]:
        """Alarms that this record raises, the most severe first; most records raise none."""
        step = self.see(record)
        record, state = step.record, self._state
        state.history.update(record)
        state.residuals = {
            name: float(u) for name, u in zip(step.residuals.names, step.residuals.u, strict=True)
        }
        state.count_constant(record)
        alarms = [
            self._alarm(detector, found, record)
            for detector in state.detectors
            if (found := detector.update(step)) is not None
        ]
        state.steps.append(record.step)
        state.records += 1
        self._past.keep(state)
        return sorted(alarms, key=lambda alarm: -SEVERITIES.index(alarm.severity))

    def see(self, record: Record) -> Step:
        """What the detectors are given for this record. `update` does this by itself."""
        if self.limits:
            record = self.limits.heard(record)
        if RESTART in record.notes:
            self._go_on_from(record.step)
        excused = (
            self._restart is not None
            and self._restart <= record.step < self._restart + EXCUSED_STEPS
        )
        state = self._state
        residuals = state.front.update(record)
        if excused:
            state.excursions.grow(residuals.names)
        else:
            state.excursions.update(residuals)
            self._judged = record.step if self._judged is None else self._judged
        deviations = {} if excused else state.excursions.deviations()
        state.reward.update(record.values)
        for part in state.parts:
            part.update(record.values)
        return Step(
            record,
            residuals,
            state.excursions,
            deviations,
            state.reward,
            state.parts,
            excused,
        )

    def _go_on_from(self, step: int) -> None:
        """A restart at this step: what is known of it and of later ones is forgotten, but for what
        the e-detector has spent of its promise."""
        self._restart, self._judged = step, None
        if not self._state.steps or self._state.steps[-1] < step:
            return
        known = self._past.before(step) or self._fresh()
        for now, then in zip(self._state.detectors, known.detectors, strict=True):
            if isinstance(now, EDetector) and isinstance(then, EDetector):
                then.spent = now.spent
        self._state = known

    def residuals(self) -> dict[str, float]:
        """The last record's whitened residuals, signed by the signal's scale; NaN while a signal
        is absent or warming up."""
        return self._state.residuals

    def cusums(self) -> dict[str, float]:
        """Signal -> its CUSUM after the last record, in whichever bad direction it is larger; NaN
        where the record says nothing of the signal, or too little is known of it yet."""
        larger = self._state.excursions.score.max(axis=0, initial=0.0).tolist()
        return {
            name: score if math.isfinite(u) else math.nan
            for (name, u), score in zip(self._state.residuals.items(), larger, strict=True)
        }

    def scores(self) -> dict[str, float]:
        """Detector -> how much of its shipped limit it has reached at the last record."""
        return {d.name: d.score for d in self._state.detectors if isinstance(d, SCORED)}

    def chances(self) -> dict[str, dict[int, float]]:
        """Detector -> horizon in records -> the chance it states of a collapse within it, NaN while
        it cannot tell; only those that do."""
        return {d.name: d.chances() for d in self._state.detectors if isinstance(d, Hazard)}

    def coverage(self) -> Coverage:
        """What is monitored at this moment, and what is not and why."""
        return self._state.coverage()

    def _alarm(self, detector: Detector, found: Finding, record: Record) -> Alarm:
        name, state = detector.name, self._state
        if self.limits and isinstance(detector, SCORED):
            found = self.limits.apply(name, found, state.records + 1)
            name = self.limits.name(name)
        if self.limits:
            found = self.limits.excuse(found)
        excursions = state.excursions.evidence(most=MOST_MOVED)
        moved = replace(found, evidence=(*found.evidence, *excursions))
        if self._restart is not None and self._judged is not None:
            found, moved = (f.told_after(self._restart, self._judged) for f in (found, moved))
        coverage = state.coverage()
        healthy = [step for step in state.steps if step < found.since_interval[0]]
        notes = found.notes
        if self._restart is not None:
            end = self._restart + EXCUSED_STEPS
            told_of = "there only the reward and hard failures are judged"
            notes += (f"steps {self._restart} to {end} follow a restart: {told_of}",)
        told = {part.family for part in found.evidence}
        not_monitored = (
            *(f"{family} (not logged)" for family in coverage.missing if family not in told),
            *(f"{name} (constant)" for name in coverage.constant),
            *(f"{name} (muted)" for name in sorted(self.limits.muted if self.limits else ())),
        )
        if not state.reward.signal:
            not_monitored += ("reward (not logged)",)
        before = min((found.since, *(part.since for part in found.evidence)))
        measured = not isinstance(detector, Stuck)  # else nothing has gone wrong but the measuring
        notes += not_considered(self._suspects) if measured else ()
        suspicions = likely(moved.evidence, state.history, before, self._suspects)
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
            restart=self._restart,
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
