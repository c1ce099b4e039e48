"""Is the mechanism that an alarm names the one that made the run fail?

    python -m benchmarks.named_mechanisms data/failures data/trl [--seeds 1,2,3,4]

Every run under the folders that collapsed (by its label) is judged by the shipped detectors. What
was set up to go wrong is what `run.json` states as `failure`; the arena's own runs state nothing,
and what collapsed there did so by a tolerant clip where the algorithm has one, else by the rate
(docs/arena.md). Asked is the first alarm of a tier, and of it the mechanism that is named first.
A run that no alarm of the tier caught is no row's.

Each run is judged without its configuration and, where that says something, with it, which changes
no alarm and only what an alarm names. Whoever sets a failure up does so by the configuration, so
what that alone says is asked as well: what it makes possible, or else a rate that is too high.
`--suppose loss_type=cispo` puts another configuration on the same records (of TRL's runs, in its
arguments): how much of what is named is the configuration's?

`--seeds` takes the runs of those seeds alone: the rules were made while looking at seed 0 (of the
arena, at all).
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.run_folders import seed_of, with_folders
from collapse_lab.configured.suspects import NOTHING, suspects_of
from collapse_lab.corpus import CorpusRun
from collapse_lab.detectors.clues import RULES
from collapse_lab.labels import COLLAPSED
from collapse_lab.mechanisms import MECHANISMS
from collapse_lab.records import Alarm
from collapse_lab.scorecard.judged import raised_in
from collapse_lab.scoring.markdown import share, table_of
from collapse_lab.scoring.shares import Share

TOLERANT = ("cispo", "sapo")
"""The arena's algorithms whose clip lets tokens beyond the band push."""
UNCLEAR = "unclear"
NOTHING_ELSE: Mapping[str, str] = {}
TIERS = {"alarm": ("alarm", "critical"), "watch": ("watch",)}


Named = dict[str, tuple[str, ...]]
"""What the first alarm of each tier names, the likeliest first; no entry for a tier that raised
none."""


@dataclass(frozen=True, slots=True)
class Caught:
    """A collapsed run: what was set up to go wrong, and what is named: `configured`
    where the configuration is known. `alone` is what the configuration says by itself, and
    `ruled_out` what it rules out."""

    name: str
    algorithm: str
    truth: str
    named: Named
    configured: Named = field(default_factory=dict[str, tuple[str, ...]])
    alone: tuple[str, ...] = ()
    ruled_out: frozenset[str] = frozenset()


def caught_in(
    roots: Sequence[Path], seeds: Sequence[int], supposed: Mapping[str, str] = NOTHING_ELSE
) -> Iterator[Caught]:
    """Collapsed runs of these seeds (of all, without any)."""
    for run, folder in with_folders(roots):
        if run.label.kind in COLLAPSED and (not seeds or seed_of(folder) in seeds):
            config = supposing(run.config, supposed)
            yield Caught(
                run.name,
                run.facts["algorithm"],
                truth(run),
                *named_without_and_with(run, config),
                said_by(config),
                frozenset(suspects_of(config).ruled_out),
            )


def supposing(config: Mapping[str, Any], supposed: Mapping[str, str]) -> dict[str, Any]:
    if arguments := config.get("arguments"):
        return {**config, "arguments": {**arguments, **supposed}}
    return {**config, **supposed}


def truth(run: CorpusRun) -> str:
    """What went wrong, as far as anybody set it up."""
    stated = run.facts["failure"]
    if stated in MECHANISMS:
        return stated
    return "tolerant_clip" if run.facts["algorithm"] in TOLERANT else "learning_rate"


def said_by(config: Mapping[str, Any]) -> tuple[str, ...]:
    """What a configuration makes possible, in the order of the rules. Weights of rewards are passed
    over, which nearly every run has; whatever is possible, a rate may be too high."""
    possible = suspects_of(config).possible
    return *(key for key in RULES if key in possible and key != "reward_hacking"), "learning_rate"


def named_without_and_with(run: CorpusRun, config: Mapping[str, Any]) -> tuple[Named, Named]:
    """By the run without a configuration, and with this one; the same where it says nothing."""
    without = _named_in(run, {})
    if not without or suspects_of(config) == NOTHING:
        return without, without
    return without, _named_in(run, config)


def _named_in(run: CorpusRun, config: Mapping[str, Any]) -> Named:
    return named([alarm for _, alarm in raised_in(replace(run, config=config))])


def named(alarms: Sequence[Alarm]) -> Named:
    first = {
        tier: next((alarm for alarm in alarms if alarm.severity in severities), None)
        for tier, severities in TIERS.items()
    }
    return {
        tier: tuple(one.mechanism for one in alarm.suspicions)
        for tier, alarm in first.items()
        if alarm is not None
    }


Answer = tuple[str, tuple[str, ...]]
"""What was set up to go wrong, and what was named, the likeliest first."""
BY: dict[str, Callable[[Caught, str], tuple[str, ...]]] = {
    "the alarm": lambda run, tier: run.named[tier],
    "the alarm and the configuration": lambda run, tier: run.configured[tier],
    "the configuration alone": lambda run, _: run.alone,
}


def answers(runs: Sequence[Caught], tier: str, by: str) -> list[Answer]:
    """Of the runs that the tier caught."""
    return [(run.truth, BY[by](run, tier)) for run in runs if tier in run.named]


def among(told: Sequence[Answer], most: int) -> Share:
    """Those whose truth is among the first `most` mechanisms that are named."""
    return Share(sum(truth in named[:most] for truth, named in told), len(told))


def comparison(runs: Sequence[Caught], tier: str) -> str:
    rows: list[list[str]] = []
    for by in BY:
        told = answers(runs, tier, by)
        rows.append([by, share(among(told, 1)), share(among(told, 2))])
    return table_of(("named by", "named first", "among the first two"), rows)


def impossible(runs: Sequence[Caught], tier: str) -> Share:
    """Alarms that name, without the configuration, something that it rules out."""
    told = [run for run in runs if tier in run.named]
    return Share(sum(not run.ruled_out.isdisjoint(run.named[tier]) for run in told), len(told))


def confusion(told: Sequence[Answer]) -> str:
    """Rows are what was set up to go wrong, columns what was named first."""
    pairs = Counter((truth, (*named, UNCLEAR)[0]) for truth, named in told)
    columns = [key for key in (*MECHANISMS, UNCLEAR) if any(key == name for _, name in pairs)]
    rows: list[list[str]] = []
    for key in MECHANISMS:
        of = [answer for answer in told if answer[0] == key]
        if of:
            counts = [str(pairs[key, column] or "") for column in columns]
            rows.append([key, *counts, share(among(of, 1)), share(among(of, 2))])
    counts = [str(sum(pairs[key, column] for key in MECHANISMS)) for column in columns]
    rows.append(["all", *counts, share(among(told, 1)), share(among(told, 2))])
    return table_of(("failed by", *columns, "named first", "among the first two"), rows)


def report(runs: Sequence[Caught]) -> str:
    parts = [f"{len(runs)} collapsed runs."]
    for tier in TIERS:
        caught = sum(tier in run.named for run in runs)
        parts += [
            f"### First {tier}",
            f"{caught} of {len(runs)} were caught.",
            comparison(runs, tier),
            f"{share(impossible(runs, tier))} of the alarms name, among others, what the "
            "configuration rules out, and do not with it.",
        ]
        for by in ("the alarm", "the alarm and the configuration"):
            parts += [f"By {by}:", confusion(answers(runs, tier, by))]
    return "\n\n".join(parts)


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> None:
    parser = argparse.ArgumentParser(description="Scores the naming of mechanisms.")
    parser.add_argument("roots", nargs="+", type=Path)
    parser.add_argument("--seeds", default="", help="with commas; all of them without")
    parser.add_argument("--each", action="store_true", help="a line a run, too")
    parser.add_argument("--suppose", action="append", default=[], metavar="NAME=VALUE")
    given = parser.parse_args(arguments)
    supposed = dict(setting.split("=", 1) for setting in given.suppose)
    seeds = [int(seed) for seed in given.seeds.split(",") if seed]
    runs = list(caught_in(given.roots, seeds, supposed))
    if given.each:
        for run in runs:
            print(
                f"{run.name} ({run.algorithm}): {run.truth}, named {run.named}, "
                f"with the configuration {run.configured}, by it alone {run.alone}"
            )
    print(report(runs))


if __name__ == "__main__":
    main()
