"""Each detector alone, its limit set by the healthy runs of some seeds and judged on others.

    python -m benchmarks.seeds data/arena data/arena-rates data/failures [--set-by 0,1,2]

What was designed while looking at some seeds shows here what it is worth on the rest. Runs of one
seed share their tasks and first rollouts over settings, so the rest are not strangers either.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from collapse_lab.calibration.conformal import HEALTHY, Course, calibrate
from collapse_lab.corpus import CorpusRun, read_corpus
from collapse_lab.detectors.panel import SCORED
from collapse_lab.scorecard import JudgedRun, Scores, judge_all, scores
from collapse_lab.scoring.markdown import share, table_of

ALPHA = 0.05


def seed_of(name: str) -> int:
    """The last number of a run's name."""
    return int(name.rsplit("-", 1)[1])


def measured(runs: Sequence[JudgedRun], detector: str, seeds: Sequence[int]) -> list[Scores]:
    """On the runs of the seeds that set the limit, and on the others."""
    healthy = [run for run in runs if run.kind in HEALTHY and seed_of(run.name) in seeds]
    courses = [Course.of(run.name, run.group, run.traces) for run in healthy]
    limit = calibrate(courses, ALPHA, (detector,)).limits[detector]

    def rule(run: JudgedRun) -> list[int]:
        return [point for point, score in enumerate(run.traces[detector]) if score >= limit]

    seen = [run for run in runs if seed_of(run.name) in seeds]
    rest = [run for run in runs if seed_of(run.name) not in seeds]
    return [scores(some, rule, deals=1) for some in (seen, rest)]


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> None:
    parser = argparse.ArgumentParser(description="Detectors on seeds that did not set their limit.")
    parser.add_argument("roots", type=Path, nargs="+")
    parser.add_argument("--set-by", default="0,1,2", help="seeds, with commas")
    given = parser.parse_args(arguments)
    corpus = [run for run in read_corpus(given.roots) if isinstance(run, CorpusRun)]
    runs = [run for run, _ in judge_all(corpus)]
    seeds = [int(seed) for seed in given.set_by.split(",")]
    lines = [
        [kind.name, which, *map(share, (found.healthy_alarmed, found.early, found.late))]
        for kind in SCORED
        for which, found in zip(("set by", "others"), measured(runs, kind.name, seeds), strict=True)
    ]
    print(table_of(["detector", "seeds", "healthy alarmed", "early", "by onset + 10"], lines))


if __name__ == "__main__":
    main()
