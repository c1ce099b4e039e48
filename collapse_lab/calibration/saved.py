"""A calibration as it is kept: a small JSON. Loads nothing heavy, because `watch` does first."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from collapse_lab.detectors.limits import Limits

VERSION = version("collapse-lab")
"""Scores are those of one version: another one's limits may mean something else."""
BY_HAND = "set by hand: no calibration on healthy runs stands behind this limit"


@dataclass(frozen=True, slots=True)
class Calibration:
    """Limits of the detectors' scores, 1 being the shipped one, and what they rest on.

    `shares` is each detector's part of `alpha`. `runs` healthy runs were used, `long_enough` of
    them have the `records` records up to which the limits hold. `at_most` is the PAC bound: with
    95 % confidence over the runs that were drawn, at most this share of runs like them is ever
    alarmed on.

    One set by hand rests on no runs and claims nothing. `muted` signals are not judged, and what
    begins within one of the `expected` stretches (first and last step) may only watch.
    """

    alpha: float
    at_most: float
    limits: Mapping[str, float]
    shares: Mapping[str, float]
    records: int
    runs: int
    long_enough: int
    groups: Sequence[str]
    names: Sequence[str]
    version: str = VERSION
    muted: Sequence[str] = ()
    expected: Sequence[Sequence[int]] = ()

    @classmethod
    def by_hand(
        cls,
        alpha: float,
        limits: Mapping[str, float],
        muted: Sequence[str] = (),
        expected: Sequence[Sequence[int]] = (),
    ) -> Calibration:
        """What a person has set. `alpha` is that of the alarm tier, whose limit is among them."""
        return cls(alpha, 1.0, limits, {}, 0, 0, 0, (), (), muted=muted, expected=expected)

    @property
    def spent(self) -> float:
        """What is claimed: alpha, rounded down to what so many runs can tell apart."""
        return sum(self.shares.values())

    @property
    def least_for_a_new_group(self) -> float:
        """No smaller share of runs can be claimed for a group that was never seen."""
        return 1 / (len(self.groups) + 1)

    def to_limits(self) -> Limits:
        """What a panel needs of it."""
        if not self.runs:
            expected = tuple((int(low), int(high)) for low, high in self.expected)
            return Limits(self.limits, math.inf, BY_HAND, True, frozenset(self.muted), expected)
        promise = (
            f"calibrated on {self.runs} healthy runs: at most {self.spent:.1%} of healthy runs "
            f"like these of up to {self.records} records ever see a calibrated alarm"
        )
        return Limits(self.limits, self.records, promise)

    def to_json(self) -> str:
        """What `load` reads."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__}, indent=1) + "\n"

    def save(self, path: Path) -> None:
        """Writes the JSON that `load` reads."""
        path.write_text(self.to_json())


def load(path: Path) -> Calibration:
    """Reads what `save` wrote. Raises OSError, and ValueError with what to do."""
    try:
        raw: dict[str, Any] = json.loads(path.read_text())
        found = Calibration(**raw)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} is no calibration ({error}): make one with calibrate") from None
    if found.version != VERSION:
        raise ValueError(
            f"{path} was made by collapse-lab {found.version} and this is {VERSION}, whose scores "
            "may differ: calibrate again"
        )
    return found
