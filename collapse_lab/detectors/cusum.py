"""Watch tier: a signal has been off its healthy course for a while. No formal guarantee.

The CUSUM of one signal crosses a limit, or two families of evidence cross a lower one together.
Entropy that falls while the reward is at its best is no evidence: that is learning.
The limits are reference values: docs/detection.md states how many healthy real logs they flag.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from collapse_lab.detectors.base import Finding, Step
from collapse_lab.detectors.learning import Learning

LIMIT_ONE, LIMIT_TWO = 15.0, 6.0
MOST = 6
"""Signals that a watch names; one more may be what learning explains."""


@dataclass(slots=True)
class CusumWatch:
    """Speaks once an excursion, and again when it has fallen back and returned."""

    name: ClassVar[str] = "cusum"
    limit: float | None = None
    score: float = 0.0
    _speaking: bool = False
    _learning: Learning = field(default_factory=Learning)

    def update(self, step: Step) -> Finding | None:
        self._learning.update(step)
        excursions = step.excursions.evidence(least=LIMIT_TWO / 2, most=MOST + 1)
        evidence = self._learning.faults(excursions)[:MOST]
        strongest = evidence[0].score if evidence else 0.0
        second = max((p.score for p in evidence if p.family != evidence[0].family), default=0.0)
        self.score = 0.0 if step.excused else max(strongest / LIMIT_ONE, second / LIMIT_TWO)
        if self._speaking:
            self._speaking = bool(excursions)
            return None
        if step.excused or self.score < (1.0 if self.limit is None else self.limit):
            return None
        self._speaking = True
        return Finding(
            "watch", "off its healthy course", *step.excursions.onset(evidence), evidence
        )
