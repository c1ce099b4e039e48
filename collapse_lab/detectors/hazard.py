"""Alarm tier, by request: a hazard model that has learned from a corpus what precedes a collapse.

For each of several horizons H a logistic model gives P(the reward begins to fall for good within
the next H records | the features of now). Its weights are nonnegative and its features say nothing
of roles (see `features`), so that more evidence never lowers the hazard and no failure is known by
name. The mean of the horizons' log-odds is averaged over the last few records; that one number
against a limit is the detector. It speaks only of what at least two families show.

`benchmarks/fit_hazard.py` learns the model and says what it is worth on runs that it has not seen;
docs/hazard.md says why it does not ship as a default.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import ClassVar

import numpy as np

from collapse_lab.detectors.base import Finding, Step
from collapse_lab.detectors.features import LEAST_EVIDENCE, NAMES, Features
from collapse_lab.detectors.frontend import Array
from collapse_lab.records import Evidence
from collapse_lab.signals import SIGNALS

SMOOTHING = 0.4
"""Weight of the newest log-odds."""
FAMILIES = 2
REST = 50
"""Records of silence after an alarm."""
MOST = 6


@dataclass(frozen=True, slots=True)
class Model:
    """`weights` is (horizons, features), all nonnegative, `bias` (horizons,), in log-odds;
    `limit` is the smoothed log-odds from which the detector speaks."""

    horizons: tuple[int, ...]
    weights: Array
    bias: Array
    limit: float

    def log_odds(self, features: Array) -> Array:
        """Mean over the horizons, of (..., features)."""
        return (features @ self.weights.T + self.bias).mean(axis=-1)

    def score(self, log_odds: float) -> float:
        """The odds, in units of the odds at the limit."""
        return math.exp(log_odds - self.limit)

    def limited(self, limit: float) -> Model:
        """The same model with the limit where this one's score is `limit`."""
        return replace(self, limit=self.limit + math.log(limit))

    def to_json(self) -> str:
        """The shipped form; a feature without weight is left out."""
        weights = [
            f'  "{horizon}": {json.dumps({"bias": round(float(bias), 4)} | _named(row))}'
            for horizon, bias, row in zip(self.horizons, self.bias, self.weights, strict=True)
        ]
        rows = ",\n".join(weights)
        return f'{{"limit": {self.limit:.4f}, "horizons": {{\n{rows}\n}}}}\n'

    @classmethod
    def from_json(cls, text: str) -> Model:
        """Inverse of `to_json`."""
        raw = json.loads(text)
        rows: Mapping[str, Mapping[str, float]] = raw["horizons"]
        return cls(
            tuple(int(horizon) for horizon in rows),
            np.array([[row.get(name, 0.0) for name in NAMES] for row in rows.values()]),
            np.array([row["bias"] for row in rows.values()]),
            raw["limit"],
        )


def _named(row: Array) -> dict[str, float]:
    named = zip(NAMES, row.tolist(), strict=True)
    return {name: round(weight, 4) for name, weight in named if weight >= 5e-5}


@cache
def shipped() -> Model:
    """The model in this package."""
    return Model.from_json(files("collapse_lab.detectors").joinpath("hazard.json").read_text())


def smoothed(log_odds: float, before: float) -> float:
    """The next moving average; `before` is NaN at first."""
    return log_odds if math.isnan(before) else before + SMOOTHING * (log_odds - before)


def heard(step: Step) -> bool:
    """Whether two families show enough to be evidence."""
    loud = step.excursions.score.max(axis=0, initial=0.0) >= LEAST_EVIDENCE
    named = zip(step.residuals.names, loud.tolist(), strict=True)
    return len({SIGNALS[name].family for name, far in named if far}) >= FAMILIES


@dataclass(slots=True)
class Hazard:
    """Raises `alarm` when the hazard passes the limit that was set on the corpus' healthy runs, or
    on one's own: `collapse-lab calibrate --detector hazard`."""

    name: ClassVar[str] = "hazard"
    limit: float | None = None
    model: Model = field(default_factory=shipped)
    score: float = 0.0
    _features: Features = field(default_factory=Features)
    _last: Array = field(default_factory=lambda: np.full(len(NAMES), np.nan))
    _log_odds: float = math.nan
    _rest: int = 0

    def update(self, step: Step) -> Finding | None:
        features = self._features.update(step)
        self._rest = max(0, self._rest - 1)
        if step.excused or not step.deviations:
            return None
        self._last = features
        self._log_odds = smoothed(float(self.model.log_odds(features)), self._log_odds)
        self.score = self.model.score(self._log_odds) if heard(step) else 0.0
        if self._rest or self.score < (1.0 if self.limit is None else self.limit):
            return None
        evidence = _spread(step.excursions.evidence(LEAST_EVIDENCE, most=len(step.residuals.names)))
        if len({part.family for part in evidence}) < FAMILIES:
            return None  # the second family's signals are not in this record
        self._rest = REST
        return self._find(step, evidence)

    def _find(self, step: Step, evidence: tuple[Evidence, ...]) -> Finding:
        shares = ", ".join(f"{chance:.0%} within {h}" for h, chance in self.chances().items())
        notes = (f"hazard of a collapse, by records ahead: {shares}",)
        if (fall := self._features.reward_fall) >= 1:
            notes += (f"the reward is {fall:.1f} standard errors below its best",)
        return Finding(
            "alarm",
            f"{len({part.family for part in evidence})} families of signals look as they do before "
            f"a collapse (odds {self.score:.2g} times the limit)",
            *step.excursions.joint_onset(evidence),
            evidence,
            notes,
        )

    def chances(self) -> dict[int, float]:
        """Horizon -> the chance that the model gives it at the last record that was judged, as if
        it had been calibrated; NaN before any was."""
        odds = self.model.weights @ self._last + self.model.bias
        return dict(zip(self.model.horizons, (1 / (1 + np.exp(-odds))).tolist(), strict=True))


def _spread(evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    """The strongest signals, the strongest of each family among them before any second one."""
    first = {part.family: part for part in reversed(evidence)}
    ordered = sorted(evidence, key=lambda part: (first[part.family] is not part, -part.score))
    return tuple(sorted(ordered[:MOST], key=lambda part: -part.score))
