"""How soon the fall itself could be told, by the best window that hindsight finds.

    python -m benchmarks.ceiling_fall data/arena data/arena-rates data/failures data/trl

The mean of the last `window` rewards under the best earlier mean of `reference`, as a share of the
gain, in units of the reward, and in units of the run's own step noise. As in `ceiling`, the limit
is passed by at most 5 % of the healthy runs anywhere, and the best row is chosen on the very runs.
What a collapse has lost by ten records after its onset, and what healthy runs lose at their worst
and get back, is told beside it: where those are alike, no detector of the reward tells them apart.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from benchmarks.ceiling import ended, limit_of, told
from collapse_lab.corpus import CorpusRun
from collapse_lab.labels import COLLAPSED, judged_reward
from collapse_lab.noise import step_noise
from collapse_lab.scoring import LATE, Share, point_of
from collapse_lab.scoring.markdown import percent, share, table_of

WINDOWS = ((1, 5), (3, 5), (5, 5), (5, 10), (8, 8), (8, 16), (13, 13), (21, 21))
"""Records of the mean now, and of the best mean before it."""
LEAST_NOISE = 0.02
"""Of the gain."""
AFTER = slice(LATE - 4, LATE + 1)
"""Records after the onset over which the loss is told."""
Unit = Literal["gain", "reward", "noise"]
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Run:
    """Rewards, one a record; `onset` and `cross` count records, None for a healthy run."""

    rewards: Array
    onset: int | None = None
    cross: int | None = None

    @classmethod
    def of(cls, run: CorpusRun) -> Run:
        steps, rewards = judged_reward(run.records)
        onset, cross = run.label.onset, run.label.cross
        if run.label.kind not in COLLAPSED or onset is None or cross is None:
            return cls(rewards)
        points = (int(point_of(steps.tolist(), step)) for step in (onset, cross))
        return cls(rewards, *points)

    def lost(self, window: int, reference: int, unit: Unit) -> Array:
        """How far the mean is under the best before it, -inf where there is no such mean yet."""
        lost = np.full(len(self.rewards), -np.inf)
        if len(lost) < window + reference:
            return lost
        best = np.maximum.accumulate(_means(self.rewards, reference))[:-window]
        now = _means(self.rewards, window)[reference:]
        gain = np.maximum(best - min(0.0, float(self.rewards.min())), 1e-9)
        size = {"gain": gain, "reward": np.ones_like(gain)}.get(unit)
        if size is None:
            changes = np.diff(self.rewards)
            noise = [step_noise(changes[: at + 1]) for at in range(len(changes))]
            size = np.maximum(noise[-len(gain) :], LEAST_NOISE * gain)
        lost[-len(best) :] = (best - now) / size
        return lost


class Row(NamedTuple):
    window: int
    reference: int
    unit: Unit
    early: int
    later: int
    half_lost: int


def rows_of(runs: Sequence[Run]) -> list[Row]:
    """Every window and unit, the one that tells most by ten records after the onset first."""
    healthy = [run for run in runs if run.onset is None]
    rows: list[Row] = []
    for window, reference in WINDOWS:
        for unit in get_args(Unit):
            limit = limit_of([float(run.lost(window, reference, unit).max()) for run in healthy])
            caught = np.zeros(3, int)
            for run in runs:
                if run.onset is None or run.cross is None:
                    continue
                lost = run.lost(window, reference, unit)
                ends = (run.onset, run.onset + LATE + 1, run.cross + 1)
                caught += [told(lost, limit, run.onset, end) for end in ends]
            rows.append(Row(window, reference, unit, *caught.tolist()))
    return sorted(rows, key=lambda row: (-row.later, -row.early, row))


def lost_by_then(run: Run) -> float:
    """Share of the gain that is gone ten records after the onset, over five records."""
    assert run.onset is not None
    best = float(_means(run.rewards[: run.onset + 1], min(5, run.onset + 1)).max())
    now = float(run.rewards[run.onset :][AFTER].mean())
    return (best - now) / (best - min(0.0, float(run.rewards.min())))


def report(runs: Sequence[Run], shown: int = 6) -> str:
    """The best rows as a table, and how much is lost in collapses and in healthy runs."""
    collapsed = [run for run in runs if run.onset is not None]
    healthy = [run for run in runs if run.onset is None]
    table = table_of(
        [
            "mean of",
            "best before, of",
            "in units of",
            "early",
            f"by onset + {LATE}",
            "by half lost",
        ],
        [
            [str(row.window), str(row.reference), f"the {row.unit}"]
            + [share(Share(told, len(collapsed))) for told in (row.early, row.later, row.half_lost)]
            for row in rows_of(runs)[:shown]
        ],
    )
    gone = [lost_by_then(run) for run in collapsed if len(run.rewards[run.onset :]) > LATE]
    worst = [float(run.lost(5, 5, "gain").max()) for run in healthy]
    low, middle, high = (percent(float(q)) for q in np.quantile(gone, [0.25, 0.5, 0.75]))
    usual, nine_tenths = (percent(float(q)) for q in np.quantile(worst, [0.5, 0.9]))
    return (
        f"{table}\n\nTen records after its onset a collapse has lost {middle} of its gain in the "
        f"middle ({low} to {high}), {percent(float(np.mean(np.array(gone) < 0.5)))} of them less "
        f"than half. A healthy run loses {usual} in the middle at its worst, over five records, "
        f"and one in ten of them more than {nine_tenths}."
    )


def _means(values: Array, window: int) -> Array:
    return np.convolve(values, np.ones(window) / window, "valid")


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> None:
    parser = argparse.ArgumentParser(description="How soon a fall of the reward could be told.")
    parser.add_argument("roots", nargs="+", type=Path)
    given = parser.parse_args(arguments)
    print(report([Run.of(run) for run in ended(given.roots)]))


if __name__ == "__main__":
    main()
