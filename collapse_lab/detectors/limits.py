"""Limits that somebody's own healthy runs have set, in place of the shipped ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collapse_lab.detectors.base import Finding

PREFIX = "calibrated-"
"""Begins the name under which a calibrated detector raises alarms."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`by_detector` holds limits in units of the shipped ones (see `base.Scored`).

    They hold for runs of up to `records` records; `promise` says in one sentence what they rest
    on. A detector that usually raises alarms and is not among them may only watch, because the
    promise does not cover it.
    """

    by_detector: Mapping[str, float]
    records: float
    promise: str

    def apply(self, detector: str, found: Finding, records: int) -> Finding:
        """The finding as these limits let it stand, `records` into the run."""
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


def unreachable(detectors: Iterable[str]) -> Limits:
    """Under these nothing is ever raised, and every score of a run can be seen to its end."""
    return Limits(dict.fromkeys(detectors, math.inf), math.inf, "")
