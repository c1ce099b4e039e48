"""Which algorithms collapse, and when: every algorithm on every task with every seed.

    python -m benchmarks.arena run --root runs/arena [--tasks household,sokoban] [--seeds 5] ...
    python -m benchmarks.arena summary --root runs/arena
    python -m benchmarks.arena best --root runs/arena runs/rates/*
    python -m benchmarks.arena curves --root runs/arena --out docs/images/arena.svg

All runs of a task share the initial policy and every setting but the algorithm. Each run is a run
folder, `root/TASK-ALGORITHM-SEED`, made as benchmarks/sweep.py says.

`summary` tells how the runs ended and how they stood at equal environment steps; `best` compares
roots that hold the same runs at other learning rates (`run --set lr=...` into a root of its own).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from benchmarks.arena_curves import draw
from benchmarks.arena_runs import read_runs
from benchmarks.arena_tables import best_rates, compute_matched, summary
from benchmarks.sweep import Job, sweep

ALGORITHMS = ("sampo", "cispo", "grpo", "sapo", "gspo", "gigpo", "dapo", "cispo_sm", "sapo_sm")


def jobs_of(
    tasks: Sequence[str], algorithms: Sequence[str], seeds: int, settings: Sequence[str]
) -> list[Job]:
    """Seed by seed, so that each algorithm has some early."""
    return [
        Job(f"{task}-{algorithm}-{seed}", task, algorithm, seed, tuple(settings))
        for seed, task, algorithm in product(range(seeds), tasks, algorithms)
    ]


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> None:
    parser = argparse.ArgumentParser(description="Runs the sweep, or tells what came of it.")
    parser.add_argument("action", choices=["run", "summary", "best", "curves"])
    parser.add_argument("--root", type=Path, nargs="+", default=[Path("runs/arena")])
    parser.add_argument("--out", type=Path, default=Path("arena.svg"), help="of curves")
    parser.add_argument("--tasks", default="household,sokoban")
    parser.add_argument("--algorithms", default=",".join(ALGORITHMS))
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0 on")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="NAME=VALUE")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args(arguments)
    if given.action == "run":
        (root,) = given.root
        tasks, algorithms = given.tasks.split(","), given.algorithms.split(",")
        sweep(jobs_of(tasks, algorithms, given.seeds, given.settings), root, given.processes)
    runs = read_runs(given.root)
    if given.action == "best":
        print(best_rates(runs))
    elif given.action == "curves":
        given.out.write_text(draw(runs), encoding="utf-8")
        print(f"{len(runs)} runs drawn to {given.out}")
    else:
        print(summary(runs), compute_matched(runs), sep="\n\n")


if __name__ == "__main__":
    main()
