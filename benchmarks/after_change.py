"""How soon the shipped detectors tell that something was changed for the worse in mid-run.

    python -m benchmarks.after_change data/changes [--each]

Of runs whose settings changed at a record that is known (`changes.py`, `trl_settings.Change`). What
is told before the change is false whatever the label says; what is told from it on is right where
the run collapsed, and false where it did not: a change that does no harm is what deceives a
detector most. Counted from the change on is the first alarm that is not before it. When that one
says it began, and which step it calls the last healthy one, can be held against the truth too.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.run_folders import with_folders
from benchmarks.trl_settings import Change
from collapse_lab.scorecard.judged import JudgedRun, raised_in, told
from collapse_lab.scoring import LATE, Share, point_of
from collapse_lab.scoring.markdown import plain, share, table_of
from collapse_lab.store import read_meta

TIERS = ("critical", "alarm or above", "alarm or above, reward aside", "watch or above")
HEADINGS = (
    *("tier", "alarmed before the change", "after a harmless one", "before the onset"),
    *(f"by onset + {LATE}", "by half lost", "at all", "records after the change"),
)
EACH = ("run", "label", "changed", "onset", "half lost", "watches", "alarms")


@dataclass(frozen=True, slots=True)
class ChangedRun:
    """`at` is the first record under the changed settings."""

    run: JudgedRun
    at: int
    since: int | None = None
    healthy: int | None = None
    """Of the first alarm or critical alarm from the change on: the record since which, and the last
    healthy one."""

    def first(self, tier: str) -> int | None:
        """The point of the first alarm from the change on."""
        return next((point for point in self.run.alarms(tier) if point >= self.at), None)

    @property
    def after(self) -> int | None:
        """Records from the change to the onset, none where the fall began with it; None where the
        run did not collapse. A label finds the onset in noise, so it may lie before its cause."""
        return None if self.run.onset is None else max(0, self.run.onset - self.at)


def changed_at(meta: Mapping[str, Any]) -> int:
    """The record that run.json says the change came with, counted from 0."""
    if "changed_at" in meta:
        return int(meta["changed_at"])
    return Change(**meta["config"]["change"]).at(meta["config"]["seed"])


def read(roots: Sequence[Path]) -> Iterator[ChangedRun]:
    for run, folder in with_folders(roots):
        at, raised = changed_at(read_meta(folder)), raised_in(run)
        first = next((a for point, a in raised if point >= at and a.severity != "watch"), None)
        dated = (first.since, first.last_healthy_step) if first else (None, None)
        judged = told(run, raised)
        since, healthy = (None if s is None else point_of(judged.steps, s) for s in dated)
        yield ChangedRun(judged, at, since, healthy)


def rows(runs: Sequence[ChangedRun]) -> Iterator[list[str]]:
    """A row a tier, under `HEADINGS`."""
    collapsed = [one for one in runs if one.after is not None]
    harmless = [one for one in runs if one.after is None]
    onsets = [one.at + (one.after or 0) for one in collapsed]
    ends = [len(one.run.steps) for one in collapsed]
    for tier in TIERS:
        before = sum(any(point < one.at for point in one.run.alarms(tier)) for one in runs)
        deceived = sum(one.first(tier) is not None for one in harmless)
        firsts = [one.first(tier) for one in collapsed]
        delays = [p - one.at for p, one in zip(firsts, collapsed, strict=True) if p is not None]
        yield [
            tier,
            share(Share(before, len(runs))),
            share(Share(deceived, len(harmless))),
            share(_by(firsts, [onset - 1 for onset in onsets])),
            share(_by(firsts, [onset + LATE for onset in onsets])),
            share(_by(firsts, [one.run.cross or 0 for one in collapsed])),
            share(_by(firsts, ends)),
            plain(median(delays)) if delays else "-",
        ]


def _by(firsts: Sequence[int | None], until: Sequence[int]) -> Share:
    """How many of the runs were told of by their point."""
    hits = sum(p is not None and p <= last for p, last in zip(firsts, until, strict=True))
    return Share(hits, len(firsts))


def dates(runs: Sequence[ChangedRun]) -> str:
    """What the first alarm of a collapsed run says of when it began, against when it did."""
    dated = [one for one in runs if one.after is not None and one.since is not None]
    begun = [one.since - one.at for one in dated if one.since is not None]
    spared = [one.at - 1 - one.healthy for one in dated if one.healthy is not None]
    sound = Share(sum(records >= 0 for records in spared), len(spared))
    low, middle, high = quantiles(begun, n=4)
    return (
        f"The first alarms of {len(dated)} collapsed runs date their begin {plain(middle)} records "
        f"after the change in the middle (quartiles {plain(low)} and {plain(high)}). The step that "
        f"they call the last healthy one lies before the change in {share(sound)} of them, in the "
        f"middle by {plain(median(spared))} records."
    )


def each(runs: Sequence[ChangedRun]) -> Iterator[list[str]]:
    """A row a run, under `EACH`; points counted from 0."""
    for one in runs:
        raised = one.run.raised
        yield [
            *(one.run.name, one.run.kind, str(one.at)),
            *("" if point is None else str(point) for point in (one.run.onset, one.run.cross)),
            *(
                ", ".join(f"{p} {name}" for p, severity, name in raised if severity in tier)
                for tier in (("watch",), ("alarm", "critical"))
            ),
        ]


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> None:
    parser = argparse.ArgumentParser(description="How soon a change for the worse is told.")
    parser.add_argument("roots", nargs="+", type=Path)
    parser.add_argument("--each", action="store_true", help="every run on a line of its own")
    given = parser.parse_args(arguments)
    runs = list(read(given.roots))
    if given.each:
        print(table_of(EACH, each(runs), numbers=False), end="\n\n")
    print(table_of(HEADINGS, rows(runs)), dates(runs), sep="\n\n")


if __name__ == "__main__":
    main()
