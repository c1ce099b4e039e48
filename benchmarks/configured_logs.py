"""What the configurations that logs of others carry do to the names of their first alarms.

    python -m benchmarks.configured_logs ~/logs

Nobody has set these runs up to fail, so a name that changes is only the beginning of a question:
which of the two would a person have been helped by?
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.named_mechanisms import named_without_and_with
from collapse_lab.configured.frameworks import setup_of
from collapse_lab.configured.suspects import suspects_of
from collapse_lab.corpus import CorpusRun, read_corpus
from collapse_lab.scoring.markdown import table_of

HEADINGS = ("run", "label", "ruled out", "tier", "named without it", "named with it")


@dataclass(frozen=True, slots=True)
class Judged:
    """One run with a configuration. `names` has, for every tier that raised an alarm, what the
    first one names without the configuration and with it."""

    name: str
    label: str
    known: bool
    ruled_out: tuple[str, ...]
    names: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]

    @property
    def impossible(self) -> bool:
        """Whether something is named without the configuration that it rules out."""
        return any(key in self.ruled_out for without, _ in self.names.values() for key in without)

    @property
    def changed(self) -> bool:
        return any(without != with_it for without, with_it in self.names.values())


def judged(run: CorpusRun) -> Judged:
    without, with_it = named_without_and_with(run, run.config)
    return Judged(
        run.name,
        run.label.kind,
        setup_of(run.config) is not None,
        tuple(suspects_of(run.config).ruled_out),
        {tier: (without[tier], with_it[tier]) for tier in without},
    )


def report(runs: int, found: Sequence[Judged]) -> str:
    known = [one for one in found if one.known]
    alarmed = [one for one in known if one.names]
    rows = [
        [one.name, one.label, ", ".join(one.ruled_out), tier, ", ".join(before), ", ".join(after)]
        for one in alarmed
        for tier, (before, after) in one.names.items()
    ]
    sentences = [
        f"{len(found)} of {runs} runs have a configuration, {len(known)} that of a framework that "
        f"is known; {len(alarmed)} of these raise an alarm.",
        f"Of their first alarms those of {sum(one.impossible for one in alarmed)} runs name "
        "something that the configuration rules out, and those of "
        f"{sum(one.changed for one in alarmed)} are named otherwise with it.",
    ]
    return "\n\n".join([" ".join(sentences), table_of(HEADINGS, rows)])


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> None:
    parser = argparse.ArgumentParser(description="What configurations of others' logs change.")
    parser.add_argument("roots", nargs="+", type=Path)
    runs = [one for one in read_corpus(parser.parse_args(arguments).roots)
            if isinstance(one, CorpusRun)]  # fmt: skip
    print(report(len(runs), [judged(run) for run in runs if run.config]))


if __name__ == "__main__":
    main()
