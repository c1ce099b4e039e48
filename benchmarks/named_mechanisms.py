"""Is the mechanism that an alarm names the one that made the run fail?

    python -m benchmarks.named_mechanisms data/failures data/trl [--seeds 1,2,3,4]

Every run under the folders that collapsed (by its label) is judged by the shipped detectors. What
was set up to go wrong is what `run.json` states as `failure`; the arena's own runs state nothing,
and what collapsed there did so by a tolerant clip where the algorithm has one, else by the rate
(docs/arena.md). Asked is the first alarm of a tier, and of it the mechanism that is named first.
A run that no alarm of the tier caught is no row's.

`--seeds` takes the runs of those seeds alone: the rules were made while looking at seed 0 (of the
arena, at all).
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.arena_runs import COLLAPSED
from benchmarks.run_folders import seed_of, with_folders
from collapse_lab.corpus import CorpusRun
from collapse_lab.detectors.panel import Panel
from collapse_lab.mechanisms import MECHANISMS
from collapse_lab.records import Alarm
from collapse_lab.scoring.markdown import share, table_of
from collapse_lab.scoring.shares import Share
from collapse_lab.watch import detect

TOLERANT = ("cispo", "sapo")
"""The arena's algorithms whose clip lets tokens beyond the band push."""
UNCLEAR = "unclear"
TIERS = {"alarm": ("alarm", "critical"), "watch": ("watch",)}


@dataclass(frozen=True, slots=True)
class Caught:
    """A collapsed run: what was set up to go wrong, and what its first alarm of each tier names,
    the likeliest first; no entry for a tier that raised none."""

    name: str
    algorithm: str
    truth: str
    named: dict[str, tuple[str, ...]]


def caught_in(roots: Sequence[Path], seeds: Sequence[int]) -> Iterator[Caught]:
    """Collapsed runs of these seeds (of all, without any)."""
    for run, folder in with_folders(roots):
        if run.label.kind in COLLAPSED and (not seeds or seed_of(folder) in seeds):
            yield Caught(run.name, run.facts["algorithm"], truth(run), named(alarms_of(run)))


def truth(run: CorpusRun) -> str:
    """What went wrong, as far as anybody set it up."""
    stated = run.facts["failure"]
    if stated in MECHANISMS:
        return stated
    return "tolerant_clip" if run.facts["algorithm"] in TOLERANT else "learning_rate"


def alarms_of(run: CorpusRun) -> list[Alarm]:
    panel = Panel(planned_steps=run.planned_steps)
    return [alarm for _, raised in detect(run.records, lambda: panel) for alarm in raised]


def named(alarms: Sequence[Alarm]) -> dict[str, tuple[str, ...]]:
    first = {
        tier: next((alarm for alarm in alarms if alarm.severity in severities), None)
        for tier, severities in TIERS.items()
    }
    return {
        tier: tuple(one.mechanism for one in alarm.suspicions)
        for tier, alarm in first.items()
        if alarm is not None
    }


def confusion(runs: Sequence[Caught], tier: str) -> str:
    """Rows are what was set up to go wrong, columns what the first alarm of the tier named."""
    told = [run for run in runs if tier in run.named]
    pairs = Counter((run.truth, (*run.named[tier], UNCLEAR)[0]) for run in told)
    columns = [key for key in (*MECHANISMS, UNCLEAR) if any(key == name for _, name in pairs)]
    rows: list[list[str]] = []
    for key in MECHANISMS:
        of = [run for run in told if run.truth == key]
        if of:
            counts = [str(pairs[key, column] or "") for column in columns]
            rows.append([key, *counts, share(among(of, tier, 1)), share(among(of, tier, 2))])
    right, second = among(told, tier, 1), among(told, tier, 2)
    everybody = ["all", *(str(sum(pairs[key, c] for key in MECHANISMS)) for c in columns)]
    rows.append([*everybody, share(right), share(second)])
    return table_of(("failed by", *columns, "named first", "among the first two"), rows)


def among(runs: Sequence[Caught], tier: str, most: int) -> Share:
    """Runs whose truth is among the first `most` mechanisms that the tier's first alarm names."""
    return Share(sum(run.truth in run.named[tier][:most] for run in runs), len(runs))


def report(runs: Sequence[Caught]) -> str:
    parts = [f"{len(runs)} collapsed runs."]
    for tier in TIERS:
        caught = sum(tier in run.named for run in runs)
        parts += [
            f"### First {tier}",
            f"{caught} of {len(runs)} were caught.",
            confusion(runs, tier),
        ]
    return "\n\n".join(parts)


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> None:
    parser = argparse.ArgumentParser(description="Scores the naming of mechanisms.")
    parser.add_argument("roots", nargs="+", type=Path)
    parser.add_argument("--seeds", default="", help="with commas; all of them without")
    parser.add_argument("--each", action="store_true", help="a line a run, too")
    given = parser.parse_args(arguments)
    seeds = [int(seed) for seed in given.seeds.split(",") if seed]
    runs = list(caught_in(given.roots, seeds))
    if given.each:
        for run in runs:
            print(f"{run.name} ({run.algorithm}): {run.truth}, named {run.named}")
    print(report(runs))


if __name__ == "__main__":
    main()
