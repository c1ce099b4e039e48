"""`collapse-lab train`: a recipe becomes a run folder; under `watch`, watch's own."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import torch

from collapse_lab.records import Record
from collapse_lab.store import RUN_VARIABLE, STOP, Inbox, RunWriter, provenance, read_meta
from collapse_lab.trainers.algorithms import ALGORITHMS
from collapse_lab.trainers.loop import train
from collapse_lab.trainers.recipes import RECIPES, Recipe, recipe
from collapse_lab.trainers.showing import Texts
from collapse_lab.trainers.tasks import TASKS

CHECKPOINT, POLICIES = "checkpoint.pt", ".policies"
TOLD = (
    "reward/success_rate",
    "eval/success_rate",
    "policy/valid_frac",
    "policy/entropy",
    "ratio/max",
    "kl/ref",
    "optim/grad_norm",
)


class Sink(Protocol):
    """Where records go: the run folder, or the inbox of `watch`."""

    def append(self, record: Record) -> None: ...


def train_command(
    algorithm: str,
    task: str = "household",
    seed: int = 0,
    settings: Sequence[str] = (),
    root: Path | str = "runs",
    run_id: str | None = None,
    cache: Path | None = None,
    echo: Callable[[str], object] = print,
) -> Path:
    """Trains and returns the run folder, `root/run_id`; one that was cut short is resumed.

    The id is made of what was asked for, so that the same command continues the same run.

    `cache` keeps cloned policies, by default a folder in `root`. A cloned policy uses one thread:
    at its size more only wait for each other. Raises ValueError for settings that cannot be,
    FileExistsError for a run that is finished.
    """
    made = recipe(task, algorithm, seed, tuple(settings))
    folder = Path(root) / (run_id or _name(algorithm, task, str(seed), *settings))
    if read_meta(folder).get("state") == "finished":
        raise FileExistsError(f"{folder} holds a finished run: name another with run_id or root")
    cache = cache or Path(root) / POLICIES
    if not made.policy:
        torch.set_num_threads(1)
    with _records_of(folder, made) as (sink, where, sample):
        checkpoint = where / CHECKPOINT
        echo(f"{algorithm} on {task}, seed {seed}: {made.steps} steps into {where}")

        def emit(record: Record) -> None:
            sink.append(record)
            if record.step % made.eval_every == 0 or record.step == made.steps - 1:
                echo(line(record))

        train(
            made,
            emit,
            cache=cache,
            checkpoint=checkpoint,
            sample=sample,
            should_stop=(where / STOP).exists,
        )
        if not (where / STOP).exists():
            checkpoint.unlink(missing_ok=True)
    return where


def listing() -> str:
    """What can be trained: algorithms with their four choices, and tasks."""
    width = max(map(len, ALGORITHMS))
    lines = ["algorithms:"]
    for name, choices in ALGORITHMS.items():
        lines.append(f"  {name:{width}}  {', '.join(choices.recipe().values())}")
    lines.append("tasks:")
    for name in RECIPES:
        lines.append(f"  {name}" if TASKS[name].words else f"  {name} (policy=PATH, own package)")
    return "\n".join(lines)


def line(record: Record) -> str:
    """A step for the terminal."""
    numbers = (f"{name} {record.values[name]:.3g}" for name in TOLD if name in record.values)
    return "  ".join([f"step {record.step:4}", *numbers])


def meta(made: Recipe) -> dict[str, Any]:
    """What run.json says of a run: the recipe verbatim, the algorithm's four choices."""
    return {
        "command": [sys.executable, *sys.argv],
        "framework": "collapse-lab",
        "name": f"{made.algorithm} {made.task} {made.seed}",
        "config": asdict(made) | {"choices": made.choices().recipe()},
        "planned_steps": made.steps,
        **provenance(),
    }


def _name(*parts: str) -> str:
    return re.sub(r"[^\w.=+-]+", "_", "-".join(parts))


@contextmanager
def _records_of(
    folder: Path, made: Recipe
) -> Generator[tuple[Sink, Path, Callable[[int, Texts], object]]]:
    """Sink of records, the folder, and a sink of texts; the run is finished whatever happens."""
    if watched := os.environ.get(RUN_VARIABLE):
        inbox = Inbox(watched, meta(made))
        try:
            yield inbox, Path(watched), lambda step, texts: None
        finally:
            inbox.close()
        return
    writer = RunWriter(folder, meta(made))
    try:
        yield writer, folder, writer.sample
    except KeyboardInterrupt:
        writer.finish("stopped")
        raise
    except BaseException:
        writer.finish("failed")
        raise
    writer.finish("stopped" if (folder / STOP).exists() else "finished")
