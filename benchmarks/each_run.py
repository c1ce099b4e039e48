"""Every run of a corpus on a line: what became of it, and when the shipped detectors spoke.

    python -m benchmarks.each_run data/chat

Records are counted from one. The first mechanism that the first alarm names stands beside what was
set up to go wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from collapse_lab import scoring
from collapse_lab.corpus import CorpusRun, read_corpus
from collapse_lab.records import Alarm
from collapse_lab.scorecard.judged import raised_in
from collapse_lab.scoring.markdown import table_of

HEADINGS = (
    *("run", "set up to fail by", "records", "label", "onset", "half lost"),
    *("first watch", "first alarm", "named"),
)


def row_of(run: CorpusRun) -> list[str]:
    """One run as the columns of `HEADINGS`."""
    raised = [(point + 1, alarm) for point, alarm in raised_in(run)]
    steps = [record.step for record in run.records]
    onset, cross = (
        "" if step is None else str(int(scoring.point_of(steps, step)) + 1)
        for step in (run.label.onset, run.label.cross)
    )
    watch = next((at for at in raised if at[1].severity == "watch"), None)
    alarm = next((at for at in raised if at[1].severity != "watch"), None)
    named = next((s.mechanism for s in alarm[1].suspicions), "") if alarm else ""
    set_up = run.facts["failure"] if run.facts["failure"] != run.label.kind else ""
    return [
        *(run.name, set_up, str(len(run.records)), run.label.kind, onset, cross),
        *(_when(watch), _when(alarm), named),
    ]


def rows(roots: Sequence[Path]) -> Iterator[list[str]]:
    """A row a run that can be read."""
    for run in read_corpus(roots):
        if isinstance(run, CorpusRun):
            yield row_of(run)


def _when(raised: tuple[int, Alarm] | None) -> str:
    return f"{raised[0]}, {raised[1].detector}" if raised else ""


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> None:
    parser = argparse.ArgumentParser(description="What was said of every run of a corpus.")
    parser.add_argument("roots", nargs="+", type=Path)
    print(table_of(HEADINGS, rows(parser.parse_args(arguments).roots)))


if __name__ == "__main__":
    main()
