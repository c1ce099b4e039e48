"""Which algorithms collapse, and when: every algorithm on every task with every seed.

    python -m benchmarks.arena run --root runs/arena [--tasks household,sokoban] [--seeds 5] ...
    python -m benchmarks.arena summary --root runs/arena

All runs of a task share the initial policy and every setting but the algorithm. Each run is a run
folder, `root/TASK-ALGORITHM-SEED`; finished ones are skipped and those cut short are resumed, so
that the sweep can be stopped and begun again at any time. One process a core: more threads would
only wait for each other. Records are kept, weights are not.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.markdown import plain, table_of
from collapse_lab.labels import Label, label_run
from collapse_lab.records import Record
from collapse_lab.store import RunReader, find_runs, read_meta

ALGORITHMS = ("sampo", "cispo", "grpo", "sapo", "gspo", "gigpo", "dapo", "cispo_sm", "sapo_sm")
COLLAPSED = ("collapse", "slow_decay", "hard_fail")
SUCCESS, HELD_OUT, TURNS = "reward/success_rate", "eval/success_rate", "arena/turns_played"
WINDOW = 10
"""Steps over which success is averaged: a step samples only a few tasks."""
RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one run. `cross` is the step at which half of the gain was gone."""

    task: str
    algorithm: str
    seed: int
    peak: float
    end: float
    held_out: float
    turns: float
    label: Label

    @property
    def collapsed(self) -> bool:
        return self.label.kind in COLLAPSED


def outcome(folder: Path) -> Outcome | None:
    """The outcome of a run folder; None while the run is not finished."""
    meta = read_meta(folder)
    if meta.get("state") != "finished":
        return None
    records = last_attempt(RunReader(folder).new())
    success = moving_mean([record.values[SUCCESS] for record in records])
    held_out = [r.values[HELD_OUT] for r in records if HELD_OUT in r.values]
    config = meta["config"]
    return Outcome(
        config["task"],
        config["algorithm"],
        config["seed"],
        float(success.max()),
        float(success[-1]),
        held_out[-1],
        records[-1].values[TURNS],
        label_run(records),
    )


def last_attempt(records: Iterable[Record]) -> list[Record]:
    """One record a step; what a resumed run did again replaces what it did before."""
    return [record for _, record in sorted({record.step: record for record in records}.items())]


def moving_mean(values: Sequence[float]) -> NDArray[np.float64]:
    width = min(WINDOW, len(values))
    return np.convolve(values, np.ones(width) / width, "valid")


def bootstrap(values: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """Mean, and the 95 % percentile interval of the mean over resampled seeds."""
    sample = np.asarray(values, float)
    rows = np.random.default_rng(seed).integers(len(sample), size=(RESAMPLES, len(sample)))
    low, high = np.percentile(sample[rows].mean(1), [2.5, 97.5])
    return float(sample.mean()), float(low), float(high)


def summary(outcomes: Iterable[Outcome]) -> str:
    """A Markdown table a task, the algorithm that ends best first."""
    tables: list[str] = []
    by_task: dict[str, dict[str, list[Outcome]]] = {}
    for run in outcomes:
        by_task.setdefault(run.task, {}).setdefault(run.algorithm, []).append(run)
    for task, rows in by_task.items():
        ranked = sorted(rows, key=lambda name: -np.mean([run.end for run in rows[name]]))
        table = table_of(HEADER, (_row(name, rows[name]) for name in ranked))
        tables.append(f"### {task}\n\n{table}")
    return "\n\n".join(tables)


HEADER = (
    "algorithm",
    "seeds",
    f"success, best {WINDOW} steps",
    f"last {WINDOW} steps",
    "held out, end",
    "collapsed",
    "at step",
    "environment steps",
)


def _row(algorithm: str, runs: Sequence[Outcome]) -> tuple[str, ...]:
    crossed = sorted(run.label.cross for run in runs if run.collapsed and run.label.cross)
    columns: list[Callable[[Outcome], float]] = [
        lambda run: run.peak,
        lambda run: run.end,
        lambda run: run.held_out,
    ]
    return (
        algorithm,
        str(len(runs)),
        *(_interval([column(run) for run in runs]) for column in columns),
        f"{sum(run.collapsed for run in runs)}/{len(runs)}",
        ", ".join(map(str, crossed)) or "-",
        plain(float(np.mean([run.turns for run in runs])), 0),
    )


def _interval(values: Sequence[float]) -> str:
    mean, low, high = bootstrap(values)
    return f"{mean:.2f} [{low:.2f}, {high:.2f}]"


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
    result = outcome(root / name)
    if result is None:
        return f"{name}: stopped"
    label = f"{result.label.kind} {result.label.cross or ''}".strip()
    return f"{name}: best {result.peak:.2f}, end {result.end:.2f}, {label}"


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> None:
    parser = argparse.ArgumentParser(description="Runs the sweep, or sums it up.")
    parser.add_argument("action", choices=["run", "summary"])
    parser.add_argument("--root", type=Path, default=Path("runs/arena"))
    parser.add_argument("--tasks", default="household,sokoban")
    parser.add_argument("--algorithms", default=",".join(ALGORITHMS))
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0 on")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="NAME=VALUE")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args(arguments)
    if given.action == "run":
        run_all(
            given.root,
            given.tasks.split(","),
            given.algorithms.split(","),
            given.seeds,
            given.settings,
            given.processes,
        )
    found = (outcome(folder) for folder in find_runs(given.root))
    print(summary(run for run in found if run is not None))


if __name__ == "__main__":
    main()
