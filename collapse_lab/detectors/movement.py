"""Alarm tier, by request: how far updates move the policy, held against one's own past runs.

Before a fall the policy is moved further than in healthy runs of the same setup: the ratios' lower
tail, the divergence from the policy that made the data, the gradient. A run that has done so from
its start deviates from nothing of its own, so that no chart of residuals shows it; only the level
does. Levels depend on model, task and algorithm, hence there is no shipped limit: the detector
speaks under a calibration by runs of the same setup, and nowhere else.

The score is the median of the last three records of exp(mean of ln(x) / SPREAD - TYPICAL).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import ClassVar, NamedTuple

from collapse_lab.detectors.base import Finding, Step
from collapse_lab.records import Evidence
from collapse_lab.signals import SIGNALS

SLOTS: tuple[tuple[tuple[str, float], ...], ...] = (
    (("ratio/log_q01", 0.86),),
    (("kl/old_max", 1.32), ("kl/old", 1.31)),
    (("optim/grad_norm_max", 0.92), ("optim/grad_norm", 0.51)),
)
"""Of each slot the first signal that a run logs is taken, by its magnitude. Beside it, the spread
of its logarithm over healthy records (1.4826 MAD; seeds 0 to 2 of `data/arena` and its rates),
which weighs the slots against each other."""
TYPICAL = -2.34
"""Median over those records: it puts their scores around 1, and changes nothing that a calibration
decides."""
LEAST = 1e-8
MOST = 100.0
"""Of the exponent: more is no number."""
RECORDS = 3
"""Median of so many: one wild batch is no movement."""
REST = 50
"""Records of silence after an alarm."""


class Followed(NamedTuple):
    signal: str
    value: float
    spread: float


@dataclass(slots=True)
class Movement:
    """Raises `alarm` when, for two of three records, the policy moves further than it ever did in
    the calibration's healthy runs: `collapse-lab calibrate --detector movement`."""

    name: ClassVar[str] = "movement"
    highest: ClassVar[float] = math.exp(MOST)
    limit: float | None = None
    score: float = 0.0
    _levels: deque[float] = field(default_factory=lambda: deque(maxlen=RECORDS))
    _steps: deque[int] = field(default_factory=lambda: deque(maxlen=RECORDS))
    _slots: int = 0
    _rest: int = 0

    def update(self, step: Step) -> Finding | None:
        self._rest = max(0, self._rest - 1)
        signals = followed(step.record.values)
        self._slots = max(self._slots, len(signals))
        if step.excused or len(signals) < max(1, self._slots):  # a mean of others is another level
            return None
        self._levels.append(level(signals))
        self._steps.append(step.record.step)
        if len(self._levels) < RECORDS:
            return None
        self.score = math.exp(min(median(self._levels) - TYPICAL, MOST))
        if self.limit is None or self._rest or self.score < self.limit:
            return None
        self._rest = REST
        return self._find(step, signals)

    def _find(self, step: Step, signals: Sequence[Followed]) -> Finding:
        assert self.limit is not None
        since = self._steps[0]
        parts = tuple(
            Evidence(
                signal=name,
                family=SIGNALS[name].family,
                since=since,
                observed=value,
                expected=math.nan,
                low=math.nan,
                high=math.nan,
                direction="down" if value < 0 else "up",
                score=round(math.log(self.score), 2),
                bad_steps=RECORDS,
                steps=RECORDS,
            )
            for name, value, _ in signals
        )
        return Finding(
            "alarm",
            f"updates move the policy further than in the calibration's runs (level "
            f"{self.score:.3g} against {self.limit:.3g})",
            since,
            (since, step.record.step),
            parts,
        )


def level(signals: Sequence[Followed]) -> float:
    """Mean of ln(magnitude) / spread.

    >>> values = {"ratio/log_q01": -0.1, "kl/old": 0.002, "optim/grad_norm": 0.5}
    >>> round(level(followed(values)), 3)
    -2.927
    """
    parts = [math.log(max(abs(value), LEAST)) / spread for _, value, spread in signals]
    return sum(parts) / len(parts)


def followed(values: Mapping[str, float]) -> list[Followed]:
    """Of each slot the first signal with a number; an infinite one has a logarithm too."""
    chosen: list[Followed] = []
    for slot in SLOTS:
        for name, spread in slot:
            if not math.isnan(value := values.get(name, math.nan)):
                chosen.append(Followed(name, value, spread))
                break
    return chosen
