"""Runs of the arena whose settings change in mid-run, at a rate that stays what it was.

    python -m benchmarks.changes run --root runs/changes [--seeds 0,1] [--only sampler-late]
    python -m benchmarks.arena_keep --root runs/changes --out data/changes

What goes wrong in a run that was sound for a hundred records is mostly something that was changed
or broke meanwhile: the sampler falls behind, a reward is added, a schedule starts over. The first
settings hold for `sound_for` records, the second from there on; the trainer goes on where it was
and knows of no restart. Every settings' row was written before any of these runs was made.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.arena_runs import read_run
from collapse_lab.store import RunWriter, read_meta

STEPS = 240
HEALTHY = ""


@dataclass(frozen=True, slots=True)
class Changed:
    """`first` and `then` are settings over the task's recipe; what `then` does not name stays."""

    failure: str
    algorithm: str
    first: tuple[str, ...]
    then: tuple[str, ...]
    task: str = "household"


def sound_for(seed: int) -> int:
    return 100 + 30 * seed


SLOW, FAIR = "lr=2e-4", "lr=3e-4"

CHANGES: dict[str, Changed] = {
    "rate-starts-over": Changed("learning_rate", "grpo", (SLOW,), ("lr=1e-3",)),
    "slower": Changed(HEALTHY, "grpo", (FAIR,), ("lr=1e-4",)),
    "sampler-late": Changed("mismatch", "grpo", (FAIR,), ("sampler_lag=8",)),
    "late-by-two": Changed(HEALTHY, "gspo", (SLOW,), ("sampler_lag=2",)),
    "bonus": Changed("entropy_explosion", "grpo", (FAIR,), ("entropy=0.1",)),
    "held-closer": Changed(HEALTHY, "grpo", (SLOW,), ("kl=0.03",)),
    "brevity": Changed("format", "grpo", (FAIR,), ("proxy=20", "proxied=brevity")),
    "no-upper-clip": Changed("tolerant_clip", "grpo", (), ("clip=clipped_weight",)),
    "larger-batches": Changed(HEALTHY, "grpo", (SLOW,), ("mini_batches=4",)),
    "old-rollouts": Changed(
        "staleness", "sapo", (FAIR,), ("sampler_lag=8", "old_log_probs=sampler")
    ),
    "rounded": Changed("mismatch", "grpo", (FAIR,), ("sampler_bits=3",)),
    "small-bonus": Changed(HEALTHY, "gigpo", (SLOW,), ("entropy=0.01",)),
    "many-updates": Changed("staleness", "gigpo", (), ("mini_batches=32", "kl=0")),
    "rate-starts-over-gspo": Changed("learning_rate", "gspo", (SLOW,), ("lr=1.2e-3",)),
    "dearer-slips": Changed(HEALTHY, "grpo", (SLOW,), ("penalty=0.3",)),
    "sharpened": Changed("entropy_collapse", "grpo", (FAIR,), ("temperature=0.5", "kl=0")),
    "sokoban-rate": Changed("learning_rate", "gigpo", (), ("lr=2e-3",), "sokoban"),
    "sokoban-late": Changed("mismatch", "grpo", ("lr=4e-4",), ("sampler_lag=8",), "sokoban"),
    "shop-rate": Changed("learning_rate", "grpo", (SLOW,), ("lr=1.2e-3",), "web_shop"),
}


def run_one(root: Path, job: tuple[str, int]) -> str:
    """Trains one run into `root`; one that was cut short is begun anew."""
    import torch

    from collapse_lab.trainers.checkpoints import State
    from collapse_lab.trainers.launch import CHECKPOINT, POLICIES, meta
    from collapse_lab.trainers.loop import train
    from collapse_lab.trainers.recipes import recipe

    torch.set_num_threads(1)
    name, seed = job
    changed, until = CHANGES[name], sound_for(seed)
    shared = (f"steps={STEPS}", "eval_every=20", f"checkpoint_every={until}", *changed.first)
    first = recipe(changed.task, changed.algorithm, seed, shared)
    then = recipe(changed.task, changed.algorithm, seed, (*shared, *changed.then))
    folder = root / f"{name}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    facts = {"failure": changed.failure, "setting": f"changes-{name}"}
    facts |= {"changed_at": str(until), "changed": " ".join(changed.then)}
    writer = RunWriter(folder, meta(first) | facts)
    checkpoint = folder / CHECKPOINT
    cache = root / POLICIES
    train(first, writer.append, cache=cache, checkpoint=checkpoint, should_stop=checkpoint.exists)
    state = State.load(checkpoint, first)
    state.save(checkpoint, then)
    train(then, writer.append, cache=cache, checkpoint=checkpoint)
    checkpoint.unlink()
    writer.finish()
    run = read_run(folder)
    assert run is not None
    label = f"{run.label.kind} {run.label.onset or ''} {run.label.cross or ''}".strip()
    return f"{folder.name}: {label}"


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> None:
    parser = argparse.ArgumentParser(description="Runs the settings that change in mid-run.")
    parser.add_argument("action", choices=["run"])
    parser.add_argument("--root", type=Path, default=Path("runs/changes"))
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--only", default=",".join(CHANGES), help="settings, with commas")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args(arguments)
    seeds = [int(seed) for seed in given.seeds.split(",")]
    jobs = [
        (name, seed)
        for seed in seeds
        for name in given.only.split(",")
        if read_meta(given.root / f"{name}-{seed}").get("state") != "finished"
    ]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(given.processes, mp_context=context) as pool:
        for line in pool.map(partial(run_one, given.root), jobs):
            print(line, flush=True)


if __name__ == "__main__":
    main()
