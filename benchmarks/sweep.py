"""Many trainings, a process each, that can be stopped and begun again at any time.

Each run is a run folder, `root/NAME`; finished ones are skipped and those cut short are resumed.
More threads would only wait for each other. Records are kept, weights are not.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.arena_runs import read_run
from collapse_lab.store import RECORDS, RUN, RunWriter, read_meta


@dataclass(frozen=True, slots=True)
class Job:
    """One training. `facts` are kept in its run.json; it dies, as by a machine that goes down,
    after `dies_after` records, and is then resumed from its last checkpoint. Or, after `sound_for`
    records, it goes on with the settings `then` besides, and knows of no restart."""

    name: str
    task: str
    algorithm: str
    seed: int
    settings: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
    dies_after: int | None = None
    then: tuple[str, ...] = ()
    sound_for: int = 0


def sweep(jobs: Sequence[Job], root: Path, processes: int) -> None:
    """All jobs that are not finished, in their order."""
    from collapse_lab.trainers.checkpoints import State
    from collapse_lab.trainers.launch import POLICIES
    from collapse_lab.trainers.recipes import recipe

    waiting = [job for job in jobs if read_meta(root / job.name).get("state") != "finished"]
    for task in dict.fromkeys(job.task for job in waiting):  # cloned once, not by each at once
        first = next(job for job in waiting if job.task == task)
        State.begin(recipe(task, first.algorithm, 0, first.settings), root / POLICIES)
    print(f"{len(waiting)} runs to go, {processes} at a time, into {root}", flush=True)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        for line in pool.map(partial(run_one, root), waiting):
            print(line, flush=True)


def run_one(root: Path, job: Job) -> str:
    """One run; what went wrong with it is told and does not end the sweep."""
    try:
        (_train_with_change if job.then else _train)(root, job)
    except Exception as error:
        return f"{job.name}: {error!r}"
    run = read_run(root / job.name)
    if run is None:
        return f"{job.name}: stopped"
    label = f"{run.label.kind} {run.label.onset or ''} {run.label.cross or ''}".strip()
    return f"{job.name}: best {run.peak:.2f}, end {run.end:.2f}, {label}"


def _train(root: Path, job: Job) -> None:
    from collapse_lab.trainers.launch import train_command

    folder = root / job.name
    if not folder.exists():
        folder.mkdir(parents=True)
        (folder / RUN).write_text(json.dumps(dict(job.facts)))
        if job.dies_after is not None:
            _die(root, job, job.dies_after)
    train_command(
        job.algorithm,
        job.task,
        job.seed,
        job.settings,
        root,
        run_id=job.name,
        echo=lambda text: None,
    )


def _train_with_change(root: Path, job: Job) -> None:
    """From the beginning, whatever is there of it."""
    import torch

    from collapse_lab.trainers.checkpoints import State
    from collapse_lab.trainers.launch import CHECKPOINT, POLICIES, meta
    from collapse_lab.trainers.loop import train
    from collapse_lab.trainers.recipes import recipe

    torch.set_num_threads(1)
    folder, cache = root / job.name, root / POLICIES
    shutil.rmtree(folder, ignore_errors=True)
    settings = (*job.settings, f"checkpoint_every={job.sound_for}")
    first = recipe(job.task, job.algorithm, job.seed, settings)
    then = recipe(job.task, job.algorithm, job.seed, (*settings, *job.then))
    writer, kept = RunWriter(folder, {**meta(first), **job.facts}), folder / CHECKPOINT
    train(first, writer.append, cache=cache, checkpoint=kept, should_stop=kept.exists)
    State.load(kept, first).save(kept, then)
    train(then, writer.append, cache=cache, checkpoint=kept)
    kept.unlink()
    writer.finish()


def _die(root: Path, job: Job, records: int) -> None:
    code = (
        "from collapse_lab.trainers.launch import train_command; "
        f"train_command({job.algorithm!r}, {job.task!r}, {job.seed}, {job.settings!r}, "
        f"{str(root)!r}, run_id={job.name!r}, echo=lambda text: None)"
    )
    written = root / job.name / RECORDS
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        while process.poll() is None:
            if written.exists() and written.read_bytes().count(b"\n") >= records:
                process.send_signal(signal.SIGKILL)
            time.sleep(0.05)
