"""Learns the hazard model that ships with the package, and says what it is worth on unseen runs.

    python -m benchmarks.fit_hazard data/arena data/arena-rates data/failures data/trl --write
    python -m benchmarks.fit_hazard ... --held-out --write      # once, at the end
    python -m benchmarks.fit_hazard ... --check

The first learns the model and prints its report, `--write` puts the tables into docs/hazard.md.
For each split every part is judged by limits and models from the other parts alone (see
`hazard_judging`). Seeds from 3 on, one algorithm, one task and one failure are never read for this;
`--held-out` scores those, with everything from the rest, and the real logs where
`COLLAPSE_LAB_REALLOGS` says where they are.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks import hazard_logs, marked
from benchmarks.cache import ROOT
from benchmarks.hazard_judging import (
    FIRST,
    HYBRID,
    METHODS,
    Judged,
    judge,
    lasting,
    left_out,
    together,
)
from benchmarks.hazard_model import courses, fit, folds
from benchmarks.hazard_runs import Seen, read
from collapse_lab import scoring
from collapse_lab.calibration.conformal import calibrate
from collapse_lab.detectors.hazard import Hazard, Model
from collapse_lab.scorecard import LATE, difference
from collapse_lab.scoring import chance
from collapse_lab.scoring.markdown import share, table_of

PAGE = ROOT / "docs" / "hazard.md"
SHIPPED = ROOT / "collapse_lab" / "detectors" / "hazard.json"
ALPHA = 0.1
SPLITS = ("algorithm", "task", "framework", "failure", "group")
LONG = 200
"""Records from which a run is a long one."""

HEADER = (
    "held out",
    "method",
    "healthy alarmed",
    "early",
    f"by onset + {LATE}",
    "by half lost",
    "premature",
)


def lines(name: str, judged: Judged, methods: Sequence[str] = METHODS) -> Iterator[list[str]]:
    for method in methods:
        runs = judged.scored(method)
        yield [
            name,
            method,
            share(scoring.healthy_false_alarm(runs)),
            share(scoring.early_recall(runs)),
            share(scoring.late_recall(runs, LATE)),
            share(scoring.recall(judged.crossings(method))),
            share(scoring.premature(runs)),
        ]


def gained(judged: Judged) -> str:
    """The hybrid against the first generation, paired, over resampled groups; and how many
    collapses its alarms would foresee if they were dealt to other runs."""
    hybrid, first = judged.scored(HYBRID), judged.scored(FIRST)
    groups = [run.group for run in judged.runs if run.healthy or run.onset is not None]
    ends = difference(hybrid, first, groups)
    paired = [
        f"{name.replace('_', ' ')} {low:+.2f} to {high:+.2f}" for name, (low, high) in ends.items()
    ]
    mean, as_well = chance.by_chance(hybrid, lambda runs: scoring.early_recall(runs).value)
    return "; ".join([*paired, f"early by chance {mean:.0%}, p {as_well:.3f}"])


def beats(judged: Judged, alpha: float) -> bool:
    """Whether the hybrid catches more, early or by ten later, nowhere less, within alpha or with no
    more false alarms than the first generation."""
    hybrid, first = judged.scored(HYBRID), judged.scored(FIRST)
    more = [
        scoring.early_recall(hybrid).hits - scoring.early_recall(first).hits,
        scoring.late_recall(hybrid, LATE).hits - scoring.late_recall(first, LATE).hits,
    ]
    false = scoring.healthy_false_alarm(hybrid).value
    allowed = max(alpha, scoring.healthy_false_alarm(first).value)
    return min(more) >= 0 < max(more) and not false > allowed


def report(runs: Sequence[Seen], alpha: float) -> dict[str, str]:
    """Every split: its sums, those of its long runs, whether the hybrid beats the first generation,
    what is left without the reward or ten records late, its parts."""
    collapsed = sum(run.onset is not None for run in runs)
    sums: list[list[str]] = []
    longest: list[list[str]] = []
    weakened: list[list[str]] = []
    details: list[list[str]] = []
    verdicts: list[str] = []
    for split in SPLITS:
        parts = list(left_out(runs, split, alpha))
        if not parts:
            verdicts.append(f"- by {split}: too little is left without any part")
            continue
        judged = together([part for _, part in parts])
        sums += lines(f"each {split}", judged)
        weaker = [method for method in judged.alarms if method not in METHODS]
        weakened += lines(f"each {split}", judged, weaker)
        longest += lines(f"each {split}", judged.only(_long(judged.runs)))
        won = "beats" if beats(judged, alpha) else "does not beat"
        verdicts.append(f"- by {split}: both {won} the first generation. {gained(judged)}")
        if split != "group":
            for name, part in parts:
                details += lines(f"{split} {name}", part)
    about = f"{len(runs)} runs, {collapsed} of them collapsed; alpha {alpha:g}."
    return {
        "splits": f"{about}\n\n{table_of(HEADER, sums)}",
        "verdicts": "\n".join(verdicts),
        "long": table_of(HEADER, longest),
        "weakened": table_of(HEADER, weakened),
        "parts": table_of(HEADER, details),
    }


def _long(runs: Sequence[Seen]) -> list[int]:
    return [place for place, run in enumerate(runs) if len(run.steps) >= LONG]


def held_out(training: Sequence[Seen], kept: Sequence[Seen], alpha: float) -> str:
    """What nothing was ever fitted to, by why it was kept."""
    judged = judge(training, kept, alpha)
    parts: dict[str, list[int]] = {"all": [*range(len(kept))], "long runs": _long(kept)}
    for place, run in enumerate(kept):
        parts.setdefault(run.why_held_out, []).append(place)
    rows = [line for name, places in parts.items() for line in lines(name, judged.only(places))]
    return f"{table_of(HEADER, rows)}\n\nBoth against the first generation: {gained(judged)}."


def shipped(runs: Sequence[Seen], alpha: float) -> Model:
    """The model of all runs, its limit where it gets half of alpha."""
    model = fit(runs)
    records = max(len(run.steps) for run in runs)
    healthy = [lasting(run, records) for run in courses(folds(runs))]
    found = calibrate(healthy, alpha / 2, (Hazard.name,))
    return model.limited(found.limits[Hazard.name])


def tell(found: Mapping[str, str], write: bool) -> None:
    print("\n\n".join(f"{name}:\n\n{text}" for name, text in found.items()))
    if write:
        marked.write([PAGE], found)


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> None:
    parser = argparse.ArgumentParser(description="Fit the hazard model.")
    parser.add_argument("corpus", nargs="+", type=Path)
    parser.add_argument("--alpha", type=float, default=ALPHA)
    parser.add_argument("--held-out", action="store_true", help="score what was kept, fit nothing")
    parser.add_argument("--check", action="store_true", help="compare the model, write nothing")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/hazard.md")
    given = parser.parse_args(arguments)
    every = list(read(given.corpus))
    training = [run for run in every if not run.why_held_out]
    if given.held_out:
        kept = [run for run in every if run.why_held_out]
        found = {"held-out": held_out(training, kept, given.alpha)}
        if "COLLAPSE_LAB_REALLOGS" in os.environ:
            found["logs"] = hazard_logs.table(shipped(training, given.alpha))
        tell(found, given.write)
        return
    model = shipped(training, given.alpha)
    if given.check:
        same = SHIPPED.read_text() == model.to_json()
        sys.exit(0 if same else "the shipped model differs")
    tell(report(training, given.alpha), given.write)
    SHIPPED.write_text(model.to_json())


if __name__ == "__main__":
    main()
