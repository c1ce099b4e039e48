"""Do the arena's signals move before success falls, and more than they move in healthy runs?

    python -m benchmarks.precursors --root data/arena

ARLArena's account of a collapse is that the share of tokens with negative advantage and a ratio
below 1 grows first. For every run that collapsed (by its label) each signal is asked at two steps,
where success began to fall and where half of the gain was gone: had it left the band of the run's
own early steps, and for how many steps? Only steps before the one in question are looked at.

A rise says little by itself, since most signals drift in every run. So every healthy run of the
same task and rate is asked at the same steps, as if it had begun to fall there. The last column is
free of the band: the chance that a collapsing run is further from its early steps than a healthy
one, .5 when the signal knows nothing; the interval is a bootstrap over the collapsing runs.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.arena_runs import Array, run_of
from benchmarks.moves import Asked, Direction, Series, Watched, When, asked, chance
from collapse_lab.scorecard.judged import HEALTHY
from collapse_lab.scoring.markdown import percent, table_of
from collapse_lab.signals import SIGNALS
from collapse_lab.store import RunReader, find_runs, read_meta

NEGATIVE_LOW = ("ratio/out_low_frac", "kl/old_share_neg_low", "kl/ref_share_neg_low")
"""Three forms of the (A < 0, w < 1) share: of tokens beyond the band, of the divergences."""
DIRECTIONS: dict[str, Direction] = {
    **dict.fromkeys(NEGATIVE_LOW, "up"),
    "kl/ref_share_neg_high": "up",
    "kl/ref_share_pos_low": "up",
    "kl/ref_share_pos_high": "up",
    "ratio/khat": "up",
    "ratio/max": "up",
    "ratio/ess_frac": "down",
    "ratio/sequence_ess_frac": "down",
    "kl/ref": "up",
    "policy/entropy": "either",
    "policy/action_invalid_frac": "up",
    "optim/grad_norm": "up",
}
WHEN: dict[When, str] = {
    "onset": "where success began to fall",
    "cross": "where half of the gain was gone",
}

HEADER = (
    "signal",
    "collapsing runs",
    "outside its band before",
    "for so many steps (median, range)",
    "healthy runs outside at those steps",
    "chance to be further than a healthy run",
)


def line(name: str, answers: Sequence[Asked]) -> list[str]:
    if not answers:
        return [name, "0", *["-"] * (len(HEADER) - 2)]
    leads = [a.own.lead for a in answers if a.own.lead]
    others = [other.lead > 0 for a in answers for other in a.healthy]
    span = f"{statistics.median(leads):g} ({min(leads)} to {max(leads)})" if leads else "-"
    middle, low, high = chance(answers)
    return [
        name,
        str(len(answers)),
        f"{len(leads)}/{len(answers)}",
        span,
        percent(statistics.mean(others)),
        f"{middle:.2f} [{low:.2f}, {high:.2f}]",
    ]


def conclusion(before_the_fall: Mapping[str, Sequence[Asked]]) -> str:
    """What the (A < 0, w < 1) share has to say, and which signals say something."""
    chances = {name: chance(answers) for name, answers in before_the_fall.items() if answers}
    sentences: list[str] = []
    for signal in NEGATIVE_LOW:
        if signal not in chances:
            continue
        answers = before_the_fall[signal]
        leads = [a.own.lead for a in answers if a.own.lead]
        by = f", by {statistics.median(leads):g} steps (median)" if leads else ""
        middle, low, high = chances[signal]
        if low > 0.5:
            verdict = "It moves more than in healthy runs"
        elif high < 0.5:
            verdict = "It moves less than in healthy runs"
        else:
            verdict = "It cannot be told apart from healthy runs"
        sentences.append(
            f"`{signal}` had left its early band before success fell in {len(leads)} of "
            f"{len(answers)} collapsing runs{by}. {verdict} ({middle:.2f} [{low:.2f}, {high:.2f}])."
        )
    told = ", ".join(f"`{signal}`" for signal, (_, low, _) in chances.items() if low > 0.5)
    sentences.append(
        f"Of {len(chances)} signals, those whose interval lies above .5 before the fall: "
        f"{told or 'none'}. With so many looks at so few runs, one may be there by luck."
    )
    return "\n".join(f"- {sentence}" for sentence in sentences)


def report(runs: Sequence[Watched]) -> str:
    """All tables: every signal at both steps, then the named share by algorithm."""
    collapsing = [watched for watched in runs if watched.run.collapsed]
    healthy = [watched for watched in runs if watched.run.label.kind in HEALTHY]
    parts = [f"{len(runs)} runs: {len(collapsing)} collapsed, {len(healthy)} healthy."]
    answers: dict[When, dict[str, list[Asked]]] = {
        when: {
            name: asked(collapsing, healthy, name, DIRECTIONS[name], when) for name in DIRECTIONS
        }
        for when in WHEN
    }
    for when, words in WHEN.items():
        lines = (line(name, found) for name, found in answers[when].items())
        parts += [f"### {words.capitalize()}", table_of(HEADER, lines)]
    by_algorithm: list[list[str]] = []
    for algorithm in sorted({watched.run.algorithm for watched in collapsing}):
        own, peers = (
            [watched for watched in some if watched.run.algorithm == algorithm]
            for some in (collapsing, healthy)
        )
        by_algorithm += [
            line(f"{algorithm}, {name}", asked(own, peers, name, "up", "onset"))
            for name in NEGATIVE_LOW
        ]
    parts += [
        "### By algorithm, against healthy runs of the same one, where success began to fall",
        table_of(("algorithm and signal", *HEADER[1:]), by_algorithm),
        "### What this says",
        conclusion(answers["onset"]),
    ]
    return "\n\n".join(parts)


def read(folder: Path) -> Watched:
    """A finished run's folder."""
    frame = RunReader(folder).frame()
    absent = [name for name in DIRECTIONS if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None, pl.Float64).alias(name) for name in absent)
    signals: dict[str, Series] = {}
    for name in DIRECTIONS:
        series: Array = frame[name].fill_null(np.nan).to_numpy(writable=True)
        if SIGNALS[name].transform == "log":
            with np.errstate(divide="ignore", invalid="ignore"):
                np.log(series, out=series)
        signals[name] = Series.of(series)
    return Watched(run_of(frame, read_meta(folder)["config"]), signals)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, nargs="+", default=[Path("data/arena")])
    folders = [folder for root in parser.parse_args().root for folder in find_runs(root)]
    print(report([read(f) for f in folders if read_meta(f).get("state") == "finished"]))


if __name__ == "__main__":
    main()
