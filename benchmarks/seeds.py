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

from benchmarks.run_folders import seed_of, with_folders
from collapse_lab.calibration.conformal import HEALTHY, Course, calibrate
from collapse_lab.detectors.panel import SCORED
from collapse_lab.scorecard import JudgedRun, Scores, judge_all, scores
from collapse_lab.scoring.markdown import share, table_of

ALPHA = 0.05


def measured(seen: Sequence[JudgedRun], rest: Sequence[JudgedRun], detector: str) -> list[Scores]:
    """On the runs that set the limit, and on the others."""
    healthy = [run for run in seen if run.kind in HEALTHY]
    courses = [Course.of(run.name, run.group, run.traces) for run in healthy]
    limit = calibrate(courses, ALPHA, (detector,)).limits[detector]

    def rule(run: JudgedRun) -> list[int]:
        return [point for point, score in enumerate(run.traces[detector]) if score >= limit]

    return [scores(some, rule, deals=1) for some in (seen, rest)]


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> None:
    parser = argparse.ArgumentParser(description="Detectors on seeds that did not set their limit.")
    parser.add_argument("roots", type=Path, nargs="+")
    parser.add_argument("--set-by", default="0,1,2", help="seeds, with commas")
    given = parser.parse_args(arguments)
    set_by = [int(seed) for seed in given.set_by.split(",")]
    corpus = list(with_folders(given.roots))
    judged = [run for run, _ in judge_all(run for run, _ in corpus)]
    seen, rest = [], []
    for run, (_, folder) in zip(judged, corpus, strict=True):
        (seen if seed_of(folder) in set_by else rest).append(run)
    lines = [
        [kind.name, which, *map(share, (found.healthy_alarmed, found.early, found.late))]
        for kind in SCORED
        for which, found in zip(("set by", "others"), measured(seen, rest, kind.name), strict=True)
    ]
    print(table_of(["detector", "seeds", "healthy alarmed", "early", "by onset + 10"], lines))


if __name__ == "__main__":
    main()
