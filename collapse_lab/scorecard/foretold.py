"""How true the chances are that detectors state of a collapse, over all runs and by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from collapse_lab.scorecard.detector_scores import Interval, number
from collapse_lab.scorecard.judged import JudgedRun, counts
from collapse_lab.scorecard.ranks import times_drawn
from collapse_lab.scoring.probabilities import Brier, brier
from collapse_lab.scoring.ranking import Course, rows
from collapse_lab.scoring.resampling import interval


@dataclass(frozen=True, slots=True)
class Foretold:
    """One detector's chances at one horizon, with bootstrap 95 % intervals over groups: of the
    skill, and of the observed share of each bin of `brier`. `by_group` is over the runs of one
    group."""

    detector: str
    horizon: int
    brier: Brier
    skill_interval: Interval
    bin_intervals: Sequence[Interval]
    by_group: Mapping[str, Brier]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; what is undefined is null."""
        return {
            "detector": self.detector,
            "horizon": self.horizon,
            **_numbers(self.brier),
            "skill_bootstrap": list(map(number, self.skill_interval)),
            "unreliability": number(self.brier.unreliability),
            "resolution": number(self.brier.resolution),
            "reliability": [
                {
                    "from": one.low,
                    "to": one.high,
                    "share": number(one.share),
                    "stated": number(one.stated),
                    "observed": number(one.observed),
                    "observed_bootstrap": list(map(number, ends)),
                }
                for one, ends in zip(self.brier.bins, self.bin_intervals, strict=True)
            ],
            "by_group": {group: _numbers(one) for group, one in self.by_group.items()},
        }


def _numbers(one: Brier) -> dict[str, float | None]:
    return {
        "brier": number(one.score),
        "blind_brier": number(one.blind),
        "skill": number(one.skill),
        "stated": number(one.stated),
        "observed": number(one.observed),
        "known": number(one.known),
    }


def foretell(runs: Sequence[JudgedRun]) -> list[Foretold]:
    """Every detector that states chances, at each of its horizons; see `scoring.probabilities`."""
    counted = [run for run in runs if counts(run)]
    stated = [
        (detector, horizon)
        for detector, horizons in (counted[0].chances.items() if counted else ())
        for horizon in horizons
    ]
    drawn = times_drawn(counted)
    groups = np.array([run.group for run in counted])
    found: list[Foretold] = []
    for detector, horizon in stated:
        some = rows([Course(run.chances[detector][horizon], run.onset) for run in counted], horizon)
        here = brier(some)
        again = [brier(some, times) for times in drawn]
        came = [[part.observed for part in one.bins] for one in again]
        observed = np.array(came, float).reshape(-1, len(here.bins))
        by_group = {
            group: brier(some, (groups == group).astype(np.int64))
            for group in sorted({run.group for run in counted})
        }
        found.append(
            Foretold(
                detector,
                horizon,
                here,
                interval(np.array([one.skill for one in again])),
                [interval(column) for column in observed.T],
                by_group,
            )
        )
    return found
