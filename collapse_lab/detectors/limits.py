"""Limits in place of the shipped ones: set by somebody's own healthy runs, or by hand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collapse_lab.detectors.base import Finding
    from collapse_lab.records import Record

PREFIX = "calibrated-"
"""Begins the name under which a calibrated detector raises alarms."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`by_detector` holds limits in units of the shipped ones (see `base.Scored`).

    They hold for runs of up to `records` records; `promise` says in one sentence what they rest
    on. A detector that usually raises alarms and is not among them may only watch, because the
    promise does not cover it.

    Limits set `by_hand` change no tier and promise nothing. `muted` signals are not judged. What
    begins within a stretch of `expected` steps, both ends included, may only watch; a hard failure
    stays critical.
    """

    by_detector: Mapping[str, float]
    records: float
    promise: str
    by_hand: bool = False
    muted: frozenset[str] = frozenset()
    expected: tuple[tuple[int, int], ...] = ()

    def name(self, detector: str) -> str:
        """The name under which a detector raises alarms."""
        calibrated = detector in self.by_detector and not self.by_hand
        return PREFIX + detector if calibrated else detector

    def heard(self, record: Record) -> Record:
        """The record without the muted signals."""
        if not self.muted:
            return record
        values = {name: x for name, x in record.values.items() if name not in self.muted}
        return replace(record, values=values)

    def apply(self, detector: str, found: Finding, records: int) -> Finding:
        """The finding as these limits let it stand, `records` into the run."""
        if self.by_hand:
            changed = detector in self.by_detector
            return replace(found, notes=(*found.notes, self.promise)) if changed else found
        if detector not in self.by_detector:
            if found.severity == "watch":
                return found
            note, severity = "not calibrated, so only a watch", "watch"
        elif records > self.records:
            severity = "watch"
            note = f"calibrated on runs of up to {self.records:g} records, so only a watch"
        else:
            note, severity = self.promise, "alarm"
        return replace(found, severity=severity, notes=(*found.notes, note))

    def excuse(self, found: Finding) -> Finding:
        """The finding, only a watch where a change was expected."""
        for low, high in self.expected:
            if low <= found.since <= high and found.severity == "alarm":
                note = f"a change was expected at steps {low} to {high}, so only a watch"
                return replace(found, severity="watch", notes=(*found.notes, note))
        return found


def unreachable(detectors: Iterable[str]) -> Limits:
    """Under these nothing is ever raised, and every score of a run can be seen to its end."""
    return Limits(dict.fromkeys(detectors, math.inf), math.inf, "")
