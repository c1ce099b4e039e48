"""The most that any one signal could have foreseen, chosen in hindsight on the very runs.

    python -m benchmarks.ceiling data/arena data/arena-rates data/failures data/trl

Every number that the runs log, reward and times aside, in both directions and two forms, on its
even scale: its *level* (the median of five records), and its *rise*, the level over the lowest that
the run has seen. The limit is passed by at most 5 % of the healthy runs anywhere; a collapse counts
as foreseen where the score is above it at any record of the horizon before the onset, whatever came
before. No detector may choose so: it bounds what detectors of one signal can reach on these runs.
How far luck goes is told by the same choice for onsets that are dealt to healthy runs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from collapse_lab.corpus import CorpusRun, read_corpus
from collapse_lab.detectors.frontend import MIN_POINTS_ALONE
from collapse_lab.detectors.scale import to_scale
from collapse_lab.labels import COLLAPSED
from collapse_lab.scorecard.judged import HEALTHY
from collapse_lab.scoring import LATE, Share, point_of, usual_horizon
from collapse_lab.scoring.markdown import percent, share, table_of
from collapse_lab.signals import SIGNALS

ALPHA = 0.05
SMOOTHED = 5
DEALS = 40
SHOWN = 10
CLOCKS = ("optim/lr",)
"""A schedule is known beforehand and rises in every run that warms up."""
Form = Literal["level", "rise"]
Array = NDArray[np.float64]


class Candidate(NamedTuple):
    """One signal read in one way; direction 1 where high is suspect, -1 where low is."""

    signal: str
    direction: int
    form: Form

    def __str__(self) -> str:
        return f"{self.signal}, {self.form} {'up' if self.direction == 1 else 'down'}"


@dataclass(frozen=True, slots=True)
class Run:
    """`levels` hold a number a record for every signal, NaN where unknown or too early."""

    onset: int | None
    levels: Mapping[str, Array]

    @classmethod
    def of(cls, run: CorpusRun) -> Run:
        steps = [record.step for record in run.records]
        onset = run.label.onset if run.label.kind in COLLAPSED else None
        names = {name for record in run.records for name in record.values if _judged(name)}
        levels = {
            name: _level([to_scale(SIGNALS[name], r.values.get(name, np.nan)) for r in run.records])
            for name in names
        }
        return cls(None if onset is None else point_of(steps, onset), levels)

    def score(self, candidate: Candidate) -> Array:
        """-inf where the signal says nothing."""
        level = self.levels.get(candidate.signal)
        if level is None:
            return np.full(1, -np.inf)
        suspect = candidate.direction * level
        if candidate.form == "rise":
            suspect = suspect - np.fmin.accumulate(suspect)
        return np.where(np.isnan(suspect), -np.inf, suspect)


class Ceiling(NamedTuple):
    candidate: Candidate
    early: int
    later: int
    """By ten records after the onset."""


def ceilings(runs: Sequence[Run]) -> tuple[list[Ceiling], Array]:
    """Every candidate, the best first, and the best early count of each deal of blind onsets."""
    healthy = [run for run in runs if run.onset is None]
    onsets = [run.onset for run in runs if run.onset is not None]
    random = np.random.default_rng(0)
    dealt = random.integers(len(healthy), size=(DEALS, len(onsets)))
    best = np.zeros(DEALS)
    found: list[Ceiling] = []
    for candidate in _candidates(runs):
        scores = [run.score(candidate) for run in healthy]
        limit = limit_of([float(score.max()) for score in scores])
        own = [(run.score(candidate), run.onset) for run in runs if run.onset is not None]
        early = sum(told(score, limit, onset, onset) for score, onset in own)
        later = sum(told(score, limit, onset, onset + LATE + 1) for score, onset in own)
        found.append(Ceiling(candidate, early, later))
        blind = np.array([[told(score, limit, o, o) for o in onsets] for score in scores])
        best = np.maximum(best, blind[dealt, np.arange(len(onsets))].sum(axis=1))
    return sorted(found, key=lambda one: (-one.early, -one.later, one.candidate)), best


def report(runs: Sequence[Run]) -> str:
    """The best candidates as a table, and what luck alone would have chosen."""
    found, best = ceilings(runs)
    of = sum(run.onset is not None for run in runs)
    rows = [
        [str(one.candidate), share(Share(one.early, of)), share(Share(one.later, of))]
        for one in found[:SHOWN]
    ]
    low, high = np.quantile(best / of, [0.05, 0.95])
    table = table_of(["signal", "early", f"by onset + {LATE}"], rows)
    return (
        f"{table}\n\nThe best of {len(found)} at {ALPHA:.0%} of {len(runs) - of} healthy runs. The "
        f"best for onsets dealt to healthy runs: {percent(float(np.mean(best) / of))} "
        f"[{100 * low:.0f}, {100 * high:.0f}]."
    )


def _judged(name: str) -> bool:
    signal = SIGNALS.get(name)
    return signal is not None and signal.family not in ("reward", "time") and name not in CLOCKS


def _level(values: Sequence[float]) -> Array:
    """Trailing median of five, where most of them are known, from the record on from which the
    front end judges."""
    padded = np.concatenate([np.full(SMOOTHED - 1, np.nan), values])
    windows = np.lib.stride_tricks.sliding_window_view(padded, SMOOTHED)
    level = np.full(len(values), np.nan)
    known = np.isfinite(windows).sum(axis=1) > SMOOTHED // 2
    level[known] = np.nanmedian(windows[known], axis=1)
    level[:MIN_POINTS_ALONE] = np.nan
    return level


def _candidates(runs: Sequence[Run]) -> Iterator[Candidate]:
    for name in sorted({name for run in runs for name in run.levels}):
        for form in get_args(Form):
            yield from (Candidate(name, direction, form) for direction in (1, -1))


def limit_of(tops: Sequence[float]) -> float:
    """Passed by at most alpha of the healthy runs with these largest scores."""
    return float(np.sort(tops)[::-1][int(ALPHA * len(tops))])


def told(score: Array, limit: float, onset: int, end: int) -> bool:
    """Whether the score is above the limit from the horizon before the onset to before the end."""
    begin = int(np.ceil(onset - usual_horizon(onset)))
    return bool((score[begin:end] > limit).any())


def ended(roots: Sequence[Path]) -> Iterator[CorpusRun]:
    """Of a corpus, the runs that collapsed and the healthy ones."""
    for run in read_corpus(roots):
        if isinstance(run, CorpusRun) and run.label.kind in (*COLLAPSED, *HEALTHY):
            yield run


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> None:
    parser = argparse.ArgumentParser(description="What one signal could have foreseen at most.")
    parser.add_argument("roots", nargs="+", type=Path)
    parser.add_argument("--onset-from", type=int, default=0, help="only collapses from here on")
    given = parser.parse_args(arguments)
    kept = map(Run.of, ended(given.roots))
    late = [run for run in kept if run.onset is None or run.onset >= given.onset_from]
    print(report(late))


if __name__ == "__main__":
    main()
