"""Learns the hazard model that ships with the package, and says what it is worth on unseen runs.

    python -m benchmarks.fit_hazard data/arena data/arena-rates data/failures data/trl
    python -m benchmarks.fit_hazard ... --held-out      # once, at the end
    python -m benchmarks.fit_hazard ... --check

For each split every part is judged by limits and models from the other parts alone: the first
generation (e-detector and reward-drop, which share alpha), the hazard model, and both (half of
alpha each). Limits are run-max conformal ones, on healthy runs of the training side only, the
model's on runs that it was not fitted to. Seeds from 3 on, one algorithm, one task and one failure
are never read for this; `--held-out` scores those, with everything from the rest, and the real logs
where `COLLAPSE_LAB_REALLOGS` says where they are.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import hazard_logs
from benchmarks.cache import ROOT
from benchmarks.hazard_model import course, courses, fit, folds
from benchmarks.hazard_runs import Seen, read
from collapse_lab import scoring
from collapse_lab.calibration.conformal import CALIBRATED, TooFewRuns, calibrate, reached
from collapse_lab.detectors.features import REWARD_FALL
from collapse_lab.detectors.hazard import Hazard, Model
from collapse_lab.scorecard import LATE, difference
from collapse_lab.scoring.markdown import share, table_of
from collapse_lab.scoring.resampling import leave_one_out

SHIPPED = ROOT / "collapse_lab" / "detectors" / "hazard.json"
ALPHA = 0.1
SPLITS = ("algorithm", "task", "framework", "failure", "group")
FIRST, HAZARD, HYBRID = "first generation", "hazard", "both, half of alpha each"
ASIDE = ", without the reward"
DELAYED = f", {LATE} records late"
LEAST_COLLAPSES = 5
"""On the training side, for a model of them."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Method -> the first alarm in each of `runs`, None where there was none."""

    runs: list[Seen]
    alarms: dict[str, list[int | None]]

    def scored(self, method: str) -> list[scoring.ScoredRun]:
        """The healthy and the collapsed runs."""
        alarms = zip(self.runs, self.alarms[method], strict=True)
        return [run.scored(at) for run, at in alarms if run.healthy or run.onset is not None]


def judge(rest: Sequence[Seen], held: Sequence[Seen], alpha: float) -> Judged:
    """Every method on `held`, with limits and models of `rest`. Raises TooFewRuns."""
    alarms: dict[str, list[int | None]] = {}
    for without, variants in (((), ("", DELAYED)), ((REWARD_FALL,), (ASIDE,))):
        parts, model = folds(rest, without), fit(rest, without)
        for variant in variants:
            late = LATE if variant == DELAYED else 0
            healthy, judged = courses(parts, late), [course(run, model, late) for run in held]
            whole, half = (calibrate(healthy, share, CALIBRATED) for share in (alpha, alpha / 2))
            alone, other = (
                calibrate(healthy, share, (Hazard.name,)) for share in (alpha, alpha / 2)
            )
            alarms[FIRST] = [reached(run, whole) for run in judged]
            alarms[HAZARD + variant] = [reached(run, alone) for run in judged]
            alarms[HYBRID + variant] = [
                min(_known(reached(run, half), reached(run, other)), default=None) for run in judged
            ]
    return Judged(list(held), alarms)


def _known(*points: int | None) -> list[int]:
    return [point for point in points if point is not None]


def left_out(runs: Sequence[Seen], split: str, alpha: float) -> Iterator[tuple[str, Judged]]:
    """Every part of a split, judged by the others, unless too little is left without it."""
    for part, rest, held in leave_one_out([run.kinds[split] for run in runs]):
        training = [runs[index] for index in rest]
        if sum(run.onset is not None for run in training) < LEAST_COLLAPSES:
            continue
        try:
            yield part, judge(training, [runs[index] for index in held], alpha)
        except TooFewRuns:
            continue


def together(parts: Sequence[Judged]) -> Judged:
    """All parts as one."""
    methods = parts[0].alarms
    return Judged(
        [run for part in parts for run in part.runs],
        {name: [at for part in parts for at in part.alarms[name]] for name in methods},
    )


HEADER = ("held out", "method", "healthy alarmed", "early", f"by onset + {LATE}", "expected lead")


def lines(name: str, judged: Judged, methods: Sequence[str]) -> Iterator[list[str]]:
    for method in methods:
        runs = judged.scored(method)
        yield [
            name,
            method,
            share(scoring.healthy_false_alarm(runs)),
            share(scoring.early_recall(runs)),
            share(scoring.late_recall(runs, LATE)),
            f"{scoring.expected_lead(runs, horizon=scoring.usual_horizon):.2f}",
        ]


def gained(judged: Judged) -> str:
    """The hybrid against the first generation, paired, over resampled groups."""
    first, second = judged.scored(HYBRID), judged.scored(FIRST)
    groups = [run.group for run in judged.runs if run.healthy or run.onset is not None]
    ends = difference(first, second, groups)
    return "; ".join(f"{name} {low:+.2f} to {high:+.2f}" for name, (low, high) in ends.items())


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


def report(runs: Sequence[Seen], alpha: float) -> str:
    """Every split: its sums, whether the hybrid beats the first generation, its parts."""
    collapsed = sum(run.onset is not None for run in runs)
    sections = [f"{len(runs)} runs, {collapsed} of them collapsed; alpha {alpha:g}."]
    details: list[list[str]] = []
    sums: list[list[str]] = []
    verdicts: list[str] = []
    for split in SPLITS:
        parts = list(left_out(runs, split, alpha))
        if not parts:
            verdicts.append(f"- by {split}: too little is left without any part")
            continue
        judged = together([part for _, part in parts])
        sums += lines(f"each {split}", judged, list(judged.alarms))
        won = "beats" if beats(judged, alpha) else "does not beat"
        verdicts.append(f"- by {split}: both {won} the first generation. {gained(judged)}")
        if split != "group":
            for name, part in parts:
                details += lines(f"{split} {name}", part, (FIRST, HAZARD, HYBRID))
    sections += [table_of(HEADER, sums), "\n".join(verdicts), table_of(HEADER, details)]
    return "\n\n".join(sections)


def held_out(training: Sequence[Seen], kept: Sequence[Seen], alpha: float) -> str:
    """What nothing was ever fitted to, by why it was kept."""
    parts: dict[str, list[Seen]] = {"all": [*kept]}
    for run in kept:
        parts.setdefault(run.why_held_out, []).append(run)
    judged = judge(training, kept, alpha)
    rows: list[list[str]] = []
    for name, some in parts.items():
        places = [index for index, run in enumerate(kept) if run in some]
        part = Judged(some, {m: [at[i] for i in places] for m, at in judged.alarms.items()})
        rows += lines(name, part, (FIRST, HAZARD, HYBRID))
    return "\n\n".join([table_of(HEADER, rows), gained(judged)])


def shipped(runs: Sequence[Seen], alpha: float) -> Model:
    """The model of all runs, its limit where it gets half of alpha."""
    model = fit(runs)
    found = calibrate(courses(folds(runs)), alpha / 2, (Hazard.name,))
    return model.limited(found.limits[Hazard.name])


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> None:
    parser = argparse.ArgumentParser(description="Fit the hazard model.")
    parser.add_argument("corpus", nargs="+", type=Path)
    parser.add_argument("--alpha", type=float, default=ALPHA)
    parser.add_argument(
        "--held-out", action="store_true", help="score what was kept, write nothing"
    )
    parser.add_argument("--check", action="store_true", help="compare the model, write nothing")
    given = parser.parse_args(arguments)
    every = list(read(given.corpus))
    training = [run for run in every if not run.why_held_out]
    if given.held_out:
        kept = [run for run in every if run.why_held_out]
        print(held_out(training, kept, given.alpha))
        if "COLLAPSE_LAB_REALLOGS" in os.environ:
            print("\n" + hazard_logs.table(shipped(training, given.alpha)))
        return
    model = shipped(training, given.alpha)
    if given.check:
        same = SHIPPED.read_text() == model.to_json()
        sys.exit(0 if same else "the shipped model differs")
    print(report(training, given.alpha))
    SHIPPED.write_text(model.to_json())


if __name__ == "__main__":
    main()
