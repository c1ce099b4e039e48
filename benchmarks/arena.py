"""Which algorithms collapse, and when: every algorithm on every task with every seed.

    python -m benchmarks.arena run --root runs/arena [--tasks household,sokoban] [--seeds 5] ...
    python -m benchmarks.arena summary --root runs/arena
    python -m benchmarks.arena best --root runs/arena runs/rates/*
    python -m benchmarks.arena curves --root runs/arena --out docs/images/arena.svg

All runs of a task share the initial policy and every setting but the algorithm. Each run is a run
folder, `root/TASK-ALGORITHM-SEED`; finished ones are skipped and those cut short are resumed, so
that the sweep can be stopped and begun again at any time. One process a core: more threads would
only wait for each other. Records are kept, weights are not.

`summary` tells how the runs ended and how they stood at equal environment steps; `best` compares
roots that hold the same runs at other learning rates (`run --set lr=...` into a root of its own).
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path

from benchmarks.arena_curves import draw
from benchmarks.arena_runs import read_run, read_runs
from benchmarks.arena_tables import best_rates, compute_matched, summary
from collapse_lab.store import read_meta

ALGORITHMS = ("sampo", "cispo", "grpo", "sapo", "gspo", "gigpo", "dapo", "cispo_sm", "sapo_sm")


def run_all(
    root: Path,
    tasks: Sequence[str],
    algorithms: Sequence[str],
    seeds: int,
    settings: Sequence[str],
    processes: int,
) -> None:
    """All runs that are not there yet, seed by seed, so that each algorithm has some early."""
    from collapse_lab.trainers.checkpoints import State
    from collapse_lab.trainers.launch import POLICIES
    from collapse_lab.trainers.recipes import recipe

    for task in tasks:  # cloned once, not by every process at once
        State.begin(recipe(task, algorithms[0], 0, tuple(settings)), root / POLICIES)
    jobs = [
        (task, algorithm, seed)
        for seed, task, algorithm in product(range(seeds), tasks, algorithms)
        if read_meta(root / f"{task}-{algorithm}-{seed}").get("state") != "finished"
    ]
    print(f"{len(jobs)} runs to go, {processes} at a time, into {root}", flush=True)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        for line in pool.map(partial(run_one, root, tuple(settings)), jobs):
            print(line, flush=True)


def run_one(root: Path, settings: tuple[str, ...], job: tuple[str, str, int]) -> str:
    """One run; what went wrong with it is told and does not end the sweep."""
    from collapse_lab.trainers.launch import train_command

    task, algorithm, seed = job
    name = f"{task}-{algorithm}-{seed}"
    try:
        train_command(algorithm, task, seed, settings, root, run_id=name, echo=lambda text: None)
    except Exception as error:
        return f"{name}: {error!r}"
    run = read_run(root / name)
    if run is None:
        return f"{name}: stopped"
    label = f"{run.label.kind} {run.label.cross or ''}".strip()
    return f"{name}: best {run.peak:.2f}, end {run.end:.2f}, {label}"


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
        run_all(
            root,
            given.tasks.split(","),
            given.algorithms.split(","),
            given.seeds,
            given.settings,
            given.processes,
        )
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
