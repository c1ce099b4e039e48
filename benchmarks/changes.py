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
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sweep import Job, sweep

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


def jobs_of(names: Sequence[str], seeds: Sequence[int]) -> list[Job]:
    """Seed by seed, so that every setting has some early."""
    return [
        Job(
            f"{name}-{seed}",
            changed.task,
            changed.algorithm,
            seed,
            (f"steps={STEPS}", "eval_every=20", *changed.first),
            {
                "failure": changed.failure,
                "setting": f"changes-{name}",
                "changed_at": str(sound_for(seed)),
                "changed": " ".join(changed.then),
            },
            then=changed.then,
            sound_for=sound_for(seed),
        )
        for seed in seeds
        for name, changed in ((name, CHANGES[name]) for name in names)
    ]


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> None:
    parser = argparse.ArgumentParser(description="Runs the settings that change in mid-run.")
    parser.add_argument("action", choices=["run"])
    parser.add_argument("--root", type=Path, default=Path("runs/changes"))
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--only", default=",".join(CHANGES), help="settings, with commas")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args(arguments)
    seeds = [int(seed) for seed in given.seeds.split(",")]
    sweep(jobs_of(given.only.split(","), seeds), given.root, given.processes)


if __name__ == "__main__":
    main()
