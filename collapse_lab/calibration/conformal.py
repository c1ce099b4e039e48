"""Limits from somebody's own healthy runs, and what may be claimed of them.

Each detector has one number that reaches its limit, its score. Over n healthy runs and one more
like them, the chance that the new run's largest score is above the k-th smallest of the n is at
most (n + 1 - k) / (n + 1), whatever the distribution (run-max conformal: the runs, not the
records, are exchangeable). Detectors that are OR-ed share alpha: of the floor(alpha (n + 1)) ranks
that may be spent, each gets its part.

A longer run has more records to alarm in. So the limit is the largest over lengths L, of those
that enough runs have, of the limit by the first L records of the runs that are at least so long:
it holds for a run of any length up to the longest such L, and no further.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collapse_lab.calibration.saved import Calibration
from collapse_lab.corpus import CorpusRun
from collapse_lab.detectors.edetector import EDetector
from collapse_lab.detectors.limits import unreachable
from collapse_lab.detectors.movement import Movement
from collapse_lab.detectors.panel import SCORED, Panel
from collapse_lab.detectors.reward_drop import RewardDrop
from collapse_lab.scoring import Share, upper_bound
from collapse_lab.scoring.resampling import leave_one_out

HEALTHY = ("healthy", "healthy_with_dip", "never_learned")
"""Runs that did not collapse. What the label rule cannot call is left out."""
CALIBRATED = (EDetector.name, RewardDrop.name)
"""What raises the alarm tier as shipped."""
NAMES = tuple(kind.name for kind in SCORED)
HIGHEST = {kind.name: kind.highest for kind in (EDetector, Movement)}
"""Scores that runs do reach and none passes."""
CONFIDENCE = 0.95


class TooFewRuns(ValueError):
    """No limit can be claimed for this alpha; the message says which could."""


@dataclass(frozen=True, slots=True)
class Course:
    """The scores of one healthy run: `highest` is detector -> largest score so far, one number a
    record."""

    name: str
    group: str
    highest: Mapping[str, NDArray[np.float64]]

    @classmethod
    def of(cls, name: str, group: str, traces: Mapping[str, NDArray[np.float64]]) -> Course:
        """From the scores that `traces` gave."""
        highest = {detector: np.maximum.accumulate(trace) for detector, trace in traces.items()}
        return cls(name, group, highest)

    @property
    def records(self) -> int:
        return len(next(iter(self.highest.values())))


@dataclass(frozen=True, slots=True)
class Traces:
    """What detectors say after every record: `scores` by detector, and the `chances` of a collapse
    by detector and horizon in records, of those that state one. Each is one number a record."""

    scores: Mapping[str, NDArray[np.float64]]
    chances: Mapping[str, Mapping[int, NDArray[np.float64]]]


def traces(run: CorpusRun) -> Traces:
    """With limits out of reach, so that each score is seen to its end."""
    panel = Panel(limits=unreachable(NAMES))
    scores: dict[str, list[float]] = {name: [] for name in NAMES}
    chances: dict[str, dict[int, list[float]]] = {}
    for record in run.records:
        panel.update(record)
        for name, score in panel.scores().items():
            scores[name].append(score)
        for name, stated in panel.chances().items():
            for horizon, chance in stated.items():
                chances.setdefault(name, {}).setdefault(horizon, []).append(chance)
    return Traces(
        {name: np.array(values) for name, values in scores.items()},
        {
            name: {horizon: np.array(values) for horizon, values in stated.items()}
            for name, stated in chances.items()
        },
    )


def course(run: CorpusRun) -> Course:
    """What limits are set by."""
    return Course.of(run.name, run.group, traces(run).scores)


def calibrate(
    courses: Sequence[Course], alpha: float, detectors: Sequence[str] = CALIBRATED
) -> Calibration:
    """Limits that at most `alpha` of runs like these ever reach. Raises TooFewRuns."""
    lengths = sorted({run.records for run in courses}, reverse=True)
    claims: list[tuple[int, int]] = []
    for length in lengths:
        long_enough = sum(run.records >= length for run in courses)
        if _ranks(long_enough, alpha) >= len(detectors):
            claims.append((length, long_enough))
    if not claims:
        raise TooFewRuns(_too_few(len(courses), alpha, len(detectors)))
    records, long_enough = claims[0]
    spent = _split(_ranks(long_enough, alpha), len(detectors))
    confidence = 1 - (1 - CONFIDENCE) / len(detectors)
    at_most = min(1.0, sum(upper_bound(ranks - 1, long_enough, confidence) for ranks in spent))
    limits = {
        name: max(_limit(courses, name, length, n, alpha, place, detectors) for length, n in claims)
        for place, name in enumerate(detectors)
    }
    return Calibration(
        alpha,
        at_most,
        limits,
        {n: ranks / (long_enough + 1) for n, ranks in zip(detectors, spent, strict=True)},
        records,
        len(courses),
        long_enough,
        tuple(sorted({run.group for run in courses})),
        tuple(run.name for run in courses),
    )


def out_of_reach(limits: Mapping[str, float]) -> list[str]:
    """Detectors that will never speak: too many healthy runs have the highest score there is."""
    return [name for name, limit in limits.items() if limit > HIGHEST.get(name, math.inf)]


def left_out_alarms(
    courses: Sequence[Course], alpha: float, detectors: Sequence[str] = CALIBRATED
) -> Share:
    """Healthy runs of each group that limits from the other groups alone would alarm on.

    What a new group may bring, measured. A group without which too few runs are left is not
    counted.
    """
    hits = of = 0
    for _, rest, held in leave_one_out([run.group for run in courses]):
        try:
            found = calibrate([courses[i] for i in rest], alpha, detectors)
        except TooFewRuns:
            continue
        hits += sum(reached(courses[i], found) is not None for i in held)
        of += len(held)
    return Share(hits, of)


def reached(run: Course, found: Calibration) -> int | None:
    """The first record at which a limit is reached while it holds, None when none ever is."""
    first = [
        int(np.argmax(run.highest[name] >= limit))
        for name, limit in found.limits.items()
        if run.highest[name][: found.records][-1] >= limit
    ]
    return min(first, default=None)


def _limit(
    courses: Iterable[Course],
    name: str,
    length: int,
    n: int,
    alpha: float,
    place: int,
    detectors: Sequence[str],
) -> float:
    """The next thousandth above the (n + 1 - ranks)-th smallest of the runs' largest scores, or the
    next number, where those are further apart.

    Of the runs that are `length` records long or longer, by their first `length` records. Never
    below zero: that is an e-value of one, a chart at rest, a reward that has not fallen.
    """
    ranks = _split(_ranks(n, alpha), len(detectors))[place]
    largest = sorted(
        float(run.highest[name][length - 1]) for run in courses if run.records >= length
    )
    top = max(0.0, largest[n - ranks])
    return max(math.floor(1000 * top + 1) / 1000, math.nextafter(top, math.inf))


def _ranks(n: int, alpha: float) -> int:
    """How many of the n + 1 places above the others may be spent: floor(alpha (n + 1))."""
    return math.floor(alpha * (n + 1) + 1e-9)


def _split(ranks: int, parts: int) -> list[int]:
    """Even shares, what is left over to the first."""
    return [ranks // parts + (part < ranks % parts) for part in range(parts)]


def _too_few(n: int, alpha: float, detectors: int) -> str:
    needed = math.ceil(detectors / alpha - 1e-9) - 1
    text = (
        f"{n} healthy runs are too few for alpha {alpha:g}: {detectors} detectors that share it "
        f"need {needed}"
        if detectors > 1
        else f"{n} healthy runs are too few for alpha {alpha:g}: one detector needs {needed}"
    )
    if not n:
        return text
    least, alone = _up(detectors / (n + 1)), _up(1 / (n + 1))
    if least >= 1:
        claim = f"{alone:g} can be claimed for one detector alone (--detector)"
    elif detectors > 1:
        claim = f"{least:g} can be claimed, or {alone:g} for one detector alone (--detector)"
    else:
        claim = f"{least:g} can be claimed"
    return f"{text}. With these runs alpha {claim}"


def _up(share: float) -> float:
    """Rounded up to three digits, so that the claim can be made."""
    return math.ceil(share * 1000 - 1e-9) / 1000
