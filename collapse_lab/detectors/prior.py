"""What healthy variation looks like before the run has shown its own: one spread a signal.

Learned over healthy logs of many people (each repository counts once, however many runs it
holds), on the signal's even scale, and shipped as a small JSON of facts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from collapse_lab.detectors.scale import JUDGED, to_scale
from collapse_lab.records import Record
from collapse_lab.signals import SIGNALS


@dataclass(frozen=True, slots=True)
class Spread:
    """`scale`: healthy one-step deviation on the signal's scale; `strength`: how many records of
    the run's own history it weighs; `repositories`: how many it was learned from."""

    scale: float
    strength: float
    repositories: int


class Prior(dict[str, Spread]):
    """Signal name -> Spread. An empty prior judges a run by its own history alone."""

    def to_json(self) -> str:
        """The shipped form, one signal a line."""
        rows = [
            f'"{name}": [{part.scale:.4g}, {part.strength:.3g}, {part.repositories}]'
            for name, part in sorted(self.items())
        ]
        return "{\n" + ",\n".join(rows) + "\n}\n"

    @classmethod
    def from_json(cls, text: str) -> Prior:
        """Inverse of `to_json`."""
        return cls({name: Spread(*row) for name, row in json.loads(text).items()})


@cache
def shipped() -> Prior:
    """The prior in this package, learned by `benchmarks/fit_prior.py`."""
    return Prior.from_json(files("collapse_lab.detectors").joinpath("prior.json").read_text())


MIN_RECORDS = 12
STRENGTH_RANGE = (4.0, 30.0)


def fit(healthy: Mapping[str, Iterable[list[Record]]]) -> Prior:
    """Learns a prior from healthy runs, given as repository -> its runs.

    A run's spread is the median absolute difference of neighbouring records over sqrt(2); a
    repository's is the median of its runs'; the prior's is the median of the repositories'. Its
    strength follows from how much the repositories disagree: a log-spread with standard
    deviation s is worth 1 / (2 s^2) records of one's own.
    """
    spreads: dict[str, list[float]] = {}
    for runs in healthy.values():
        within: dict[str, list[float]] = {}
        for run in runs:
            for name in {name for record in run for name in record.values if name in JUDGED}:
                x = np.array([to_scale(SIGNALS[name], r.values.get(name, math.nan)) for r in run])
                x = x[np.isfinite(x)]
                step = np.abs(np.diff(x))
                if len(x) >= MIN_RECORDS and np.median(step) > 0:
                    within.setdefault(name, []).append(1.4826 * np.median(step) / math.sqrt(2))
        for name, values in within.items():
            spreads.setdefault(name, []).append(float(np.median(values)))
    prior = Prior()
    for name, values in spreads.items():
        disagreement = 1.4826 * np.median(np.abs(np.log(values) - np.median(np.log(values))))
        strength = 1 / (2 * disagreement**2) if len(values) >= 3 and disagreement > 0 else 0.0
        low, high = STRENGTH_RANGE
        prior[name] = Spread(float(np.median(values)), min(max(strength, low), high), len(values))
    return prior
