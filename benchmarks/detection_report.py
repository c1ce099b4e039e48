"""Writes what docs/detection.md and docs/detection-tables.md measure, from a corpus of runs.

    python -m benchmarks.detection_report data/arena data/arena-rates data/failures data/trl --write

Judges every run as if it were live, two at a time (`--jobs`), and prints the tables. `--write`
puts them between the marks of those pages, and draws docs/images/lead-recall.svg and the
gallery of failures beside them; what stands outside the marks is written by hand. With
COLLAPSE_LAB_REALLOGS set, the real logs are judged too; without, their table stays as it is.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import (
    detection_bars,
    detection_curves,
    detection_gallery,
    detection_tables,
    judge,
    marked,
    real_logs,
    tables,
)
from benchmarks.cache import ROOT
from benchmarks.corpus import load
from benchmarks.detection_tables import Judged
from benchmarks.hazard_runs import why_held_out
from benchmarks.run_folders import folder_of
from collapse_lab.corpus import CorpusRun, LeftOut, read_corpus
from collapse_lab.scorecard import judge_all

DOCS = ROOT / "docs"
PAGES = (DOCS / "detection.md", DOCS / "detection-tables.md")


def main() -> None:
    parser = argparse.ArgumentParser(description="Detectors on a corpus of runs.")
    parser.add_argument("roots", nargs="+", type=Path, help="folders of runs")
    parser.add_argument("--write", action="store_true", help="write the pages")
    parser.add_argument("--jobs", type=int, default=2, help="processes that judge runs")
    options = parser.parse_args()
    corpus = judge_corpus(options.roots, options.jobs)
    blocks = detection_tables.blocks(corpus.judged)
    blocks["corpus"] = detection_tables.corpus(corpus.judged, corpus.left_out, origin(corpus))
    blocks["bars"] = detection_bars.of_corpus([one.found for one in corpus.judged])
    drawings = detection_gallery.galleries(corpus.judged)
    blocks["gallery"] = detection_gallery.text(drawings)
    if os.environ.get("COLLAPSE_LAB_REALLOGS"):
        blocks["real-logs"] = on_real_logs(options.jobs)
    if not options.write:
        print("\n\n".join(f"## {name}\n\n{text}" for name, text in blocks.items()))
        return
    images = DOCS / "images"
    for drawing in drawings:
        (images / drawing.file).write_text(drawing.svg)
    (images / detection_curves.FILE).write_text(detection_curves.draw(corpus.judged))
    marked.write(PAGES, blocks)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Every run of the roots, judged in so many processes, with the seconds that reading and
    judging took, by the clock and of the processors."""

    roots: list[str]
    jobs: int
    judged: list[Judged]
    left_out: list[LeftOut]
    seconds: float
    processor_seconds: float


def judge_corpus(roots: list[Path], jobs: int) -> Corpus:
    """Reads and judges; the runs are kept, to be drawn."""
    runs: list[CorpusRun] = []
    unseen: list[bool] = []
    left_out: list[LeftOut] = []

    def read():
        for root in roots:
            for run in read_corpus([root]):
                if isinstance(run, LeftOut):
                    left_out.append(run)
                    continue
                runs.append(run)
                unseen.append(bool(why_held_out(run, folder_of(run, root))))
                yield run

    started, before = time.monotonic(), os.times()
    found = [run for run, _ in judge_all(read(), jobs=jobs)]
    seconds, after = time.monotonic() - started, os.times()
    processor_seconds = sum(after[:4]) - sum(before[:4])
    judged = [Judged(*parts) for parts in zip(runs, found, unseen, strict=True)]
    return Corpus([str(root) for root in roots], jobs, judged, left_out, seconds, processor_seconds)


def origin(corpus: Corpus) -> str:
    """How the page came about, and what that cost."""
    records = sum(len(one.found.steps) for one in corpus.judged)
    return (
        f"Written by `python -m benchmarks.detection_report {' '.join(corpus.roots)} --write` on "
        f"{time.strftime('%Y-%m-%d')}. Reading {records:,} records and judging them, with the "
        f"shipped limits and once more with limits out of reach, took {corpus.seconds:.0f} s in "
        f"{'one process' if corpus.jobs == 1 else f'{corpus.jobs} processes'} on two cores that "
        f"others used too, {corpus.processor_seconds:.0f} s of processor time."
    )


def on_real_logs(jobs: int) -> str:
    """The bars, and the short table of benchmarks/real_logs.py with our own rows."""
    logs = [log for log in load(jobs) if not log.problem]
    judgements = real_logs.judge_all(logs, with_peers=False)
    table = tables.short(judge.OURS, logs, judgements).replace("(docs/", "(")
    return f"{detection_bars.of_logs(logs, judgements)}\n\n{table}"


if __name__ == "__main__":
    main()
