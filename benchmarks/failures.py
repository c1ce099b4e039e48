"""Runs that fail in different ways, and healthy ones that are easily taken for failing.

    python -m benchmarks.failures run --root runs/failures [--seeds 0,1] [--only old-rollouts,decay]
    python -m benchmarks.failures summary --root runs/failures
    python -m benchmarks.arena_keep --root runs/failures --out data/failures

Every failure is a setting that people do choose, never an edited series: a rate that goes on
growing, a sampler with old or rounded weights, a reward that pays for the wrong thing. What became
of a run is for the label rule to say; run.json states what was set up to go wrong (`failure`, ""
for nothing) and by which row of `SETTINGS` (`setting`).
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.arena_runs import read_run
from benchmarks.sweep import Job, sweep
from collapse_lab.scoring.markdown import table_of
from collapse_lab.store import find_runs, read_meta

STEPS = 100
LONG = 240
"""A run that is sound for a hundred records before it fails, as a run that costs days is."""
HEALTHY = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """What differs from the task's recipe, and what that should do to the run."""

    failure: str
    algorithm: str
    settings: tuple[str, ...]
    task: str = "household"
    dies_after: int | None = None
    steps: int = STEPS


def late(
    failure: str,
    algorithm: str,
    rate: str,
    *more: str,
    task: str = "household",
    steps: int = STEPS,
) -> Setting:
    """The rate grows over the whole run: a fault that is there in full from the first step mostly
    fells a run within twenty, this one tells after something has been gained."""
    settings = (f"lr={rate}", f"warm_up={steps}", *more)
    return Setting(failure, algorithm, settings, task, steps=steps)


def long(
    failure: str,
    algorithm: str,
    *settings: str,
    task: str = "household",
    dies_after: int | None = None,
) -> Setting:
    return Setting(failure, algorithm, settings, task, dies_after, LONG)


SLOW = "lr=2e-4"
"""Household's own rate is one at which tolerant clips fail; at this one nothing fails by itself."""
OLD_ROLLOUTS = ("sampler_lag=8", "old_log_probs=sampler")

SETTINGS: dict[str, Setting] = {
    "rate-grows": late("learning_rate", "grpo", "1.5e-3"),
    "old-rollouts": Setting("staleness", "grpo", OLD_ROLLOUTS),
    "stale-weights": Setting("mismatch", "grpo", (SLOW, "sampler_lag=8")),
    "four-bits": Setting("mismatch", "gspo", ("sampler_bits=4",)),
    "entropy-bonus": Setting("entropy_explosion", "gigpo", ("entropy=0.03",)),
    "sharpened": Setting("entropy_collapse", "grpo", (SLOW, "temperature=0.6", "kl=0")),
    "old-rollouts-sapo": Setting("staleness", "sapo", ("lr=3e-4", *OLD_ROLLOUTS)),
    "stale-weights-fast": Setting("mismatch", "grpo", ("lr=3e-4", "sampler_lag=8")),
    "three-bits": Setting("mismatch", "gspo", ("sampler_bits=3",)),
    "entropy-bonus-high": Setting("entropy_explosion", "grpo", ("lr=3e-4", "entropy=0.1")),
    "sharpened-more": Setting("entropy_collapse", "grpo", ("lr=3e-4", "temperature=0.5", "kl=0")),
    "pays-length": Setting("length", "grpo", ("proxy=60", "proxied=length")),
    "pays-brevity": Setting("format", "grpo", ("proxy=20", "proxied=brevity")),
    "pays-turns": Setting("reward_hacking", "gigpo", ("proxy=40", "proxied=turns")),
    "many-updates": Setting("staleness", "gigpo", ("mini_batches=32", "kl=0")),
    "rate-grows-sampo": late("learning_rate", "sampo", "3e-3"),
    "rate-kills": late("starvation", "grpo", "5e-3"),
    "shop-cispo": Setting("tolerant_clip", "cispo", ("lr=6e-4",), "web_shop"),
    "shop-rate": late("learning_rate", "grpo", "2e-3", task="web_shop"),
    "sokoban-lag": Setting("mismatch", "grpo", ("sampler_lag=8",), "sokoban"),
    "sokoban-turns": Setting("reward_hacking", "grpo", ("proxy=40", "proxied=turns"), "sokoban"),
    "cispo-late": late("tolerant_clip", "cispo", "8e-4"),
    "stale-weights-late": late("mismatch", "grpo", "7e-4", "sampler_lag=8"),
    "old-rollouts-late": late("staleness", "sapo", "7e-4", *OLD_ROLLOUTS),
    "entropy-bonus-late": late("entropy_explosion", "grpo", "7e-4", "entropy=0.1"),
    "rate-grows-gspo": late("learning_rate", "gspo", "2e-3"),
    "rate-grows-sokoban": late("learning_rate", "gigpo", "2.5e-3", task="sokoban"),
    "decay": Setting(HEALTHY, "sampo", ("decay=cosine",)),
    "curriculum": Setting(HEALTHY, "gigpo", (SLOW, "curriculum=50")),
    "resumed": Setting(HEALTHY, "grpo", (SLOW,), dies_after=60),
    "never": Setting(HEALTHY, "grpo", ("lr=1e-6",)),
    "steady": Setting(HEALTHY, "gspo", ("lr=1e-4",)),
    "shop-steady": Setting(HEALTHY, "grpo", (SLOW,), "web_shop"),
    "long-rate": late("learning_rate", "grpo", "1.2e-3", steps=LONG),
    "long-rate-gspo": late("learning_rate", "gspo", "2e-3", steps=LONG),
    "long-rate-sampo": late("learning_rate", "sampo", "1.5e-3", steps=LONG),
    "long-rate-sokoban": late("learning_rate", "gigpo", "2e-3", task="sokoban", steps=LONG),
    "long-rate-shop": late("learning_rate", "grpo", "1.6e-3", task="web_shop", steps=LONG),
    "long-cispo": late("tolerant_clip", "cispo", "5e-4", steps=LONG),
    "long-sapo": late("tolerant_clip", "sapo", "5e-4", steps=LONG),
    "long-cispo-steady": long("tolerant_clip", "cispo", "lr=2.5e-4"),
    "long-cispo-sokoban": late("tolerant_clip", "cispo", "8e-4", task="sokoban", steps=LONG),
    "long-stale-weights": late("mismatch", "grpo", "4e-4", "sampler_lag=8", steps=LONG),
    "long-old-rollouts": late("staleness", "sapo", "4e-4", *OLD_ROLLOUTS, steps=LONG),
    "long-entropy-bonus": late("entropy_explosion", "grpo", "3e-4", "entropy=0.1", steps=LONG),
    "long-brevity": late("format", "grpo", "4e-4", "proxy=20", "proxied=brevity", steps=LONG),
    "long-steady": long(HEALTHY, "gspo", SLOW),
    "long-sampo": long(HEALTHY, "sampo"),
    "long-dapo": long(HEALTHY, "dapo", SLOW),
    "long-decay": long(HEALTHY, "grpo", SLOW, "decay=linear"),
    "long-warm-up": late(HEALTHY, "gspo", "5e-4", steps=LONG),
    "long-warm-up-cispo": late(HEALTHY, "cispo", "1.5e-4", steps=LONG),
    "long-lag": long(HEALTHY, "gspo", "lr=1e-4", "sampler_lag=2"),
    "long-curriculum": long(HEALTHY, "gigpo", SLOW, "curriculum=120"),
    "long-resumed": long(HEALTHY, "cispo_sm", SLOW, dies_after=140),
    "long-sokoban": long(HEALTHY, "gspo", "lr=4e-4", task="sokoban"),
    "long-shop": long(HEALTHY, "gigpo", SLOW, task="web_shop"),
}


def jobs_of(names: Sequence[str], seeds: Sequence[int]) -> list[Job]:
    """Seed by seed, so that every setting has some early."""
    return [
        Job(
            f"{name}-{seed}",
            SETTINGS[name].task,
            SETTINGS[name].algorithm,
            seed,
            (f"steps={SETTINGS[name].steps}", "eval_every=20", *SETTINGS[name].settings),
            {"failure": SETTINGS[name].failure, "setting": name},
            SETTINGS[name].dies_after,
        )
        for seed in seeds
        for name in names
    ]


def summary(root: Path) -> str:
    """A table of what became of each setting's runs."""
    outcomes: dict[str, list[tuple[str, int | None]]] = {}
    for folder in find_runs(root):
        run = read_run(folder)
        if run is not None:
            setting = read_meta(folder)["setting"]
            outcomes.setdefault(setting, []).append((run.label.kind, run.label.onset))
    rows: list[list[str]] = []
    for name, runs in outcomes.items():
        kinds = Counter(kind for kind, _ in runs)
        onsets = sorted(onset for kind, onset in runs if onset is not None)
        rows.append(
            [
                name,
                SETTINGS[name].failure or "none",
                SETTINGS[name].algorithm,
                SETTINGS[name].task,
                ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()),
                ", ".join(map(str, onsets)),
            ]
        )
    return table_of(
        ["setting", "failure", "algorithm", "task", "became", "onsets"], rows, numbers=False
    )


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> None:
    parser = argparse.ArgumentParser(description="Runs the settings, or tells what came of them.")
    parser.add_argument("action", choices=["run", "summary"])
    parser.add_argument("--root", type=Path, default=Path("runs/failures"))
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--only", default=",".join(SETTINGS), help="settings, with commas")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args(arguments)
    if given.action == "run":
        seeds = [int(seed) for seed in given.seeds.split(",")]
        sweep(jobs_of(given.only.split(","), seeds), given.root, given.processes)
    print(summary(given.root))


if __name__ == "__main__":
    main()
