"""How often each detector alarms on real healthy runs, and how early on real collapses.

    COLLAPSE_LAB_REALLOGS=... python -m benchmarks.real_logs

Judges every log of `data/real_logs.json` that lies in the folder, with a population prior fitted
to the logs of the *other* repositories only. Writes the short table into README.md between its
`real-logs` marks and everything else into docs/real-logs.md. `--print` writes neither.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from benchmarks import exceedances, marked, peers, tables
from benchmarks.cache import ROOT
from benchmarks.corpus import LabelledLog, load
from benchmarks.judge import Judgement, judge, prior_without, rows

PROCESSES = 2


def main() -> None:
    parser = argparse.ArgumentParser(description="Detectors on real logs.")
    parser.add_argument("--print", action="store_true", help="print the tables, write nothing")
    parser.add_argument("--no-peers", action="store_true", help="leave the peers out")
    options = parser.parse_args()
    with_peers = not options.no_peers
    if with_peers and not peers.available():
        parser.error(
            "the peers are not installed here and their rows would be lost: "
            "`python -m benchmarks.peers --install`, or --no-peers"
        )
    started = time.monotonic()
    logs = load(PROCESSES)
    usable = [log for log in logs if not log.problem]
    judgements = judge_all(usable, with_peers)
    names = rows(with_peers)
    short = tables.short(names, usable, judgements)
    long = "\n\n".join(
        (
            tables.preface(logs),
            "## Detectors\n\n" + tables.long(names, usable, judgements),
            "## Runs in between\n\n" + tables.in_between(names, usable, judgements),
            "## Whitened residuals of healthy runs\n\n" + exceedances.table(usable, judgements),
            "## Two labels compared\n\n" + tables.label_agreement(usable),
            "## Run by run\n\n" + tables.each(usable, judgements),
        )
    )
    print(f"{len(usable)} of {len(logs)} logs, {time.monotonic() - started:.0f} s", file=sys.stderr)
    if options.print:
        print(long)
        return
    (ROOT / "docs" / "real-logs.md").write_text(long + "\n")
    marked.write([ROOT / "README.md"], {"real-logs": short})


def judge_all(logs: Sequence[LabelledLog], with_peers: bool) -> list[Judgement]:
    """Every detector on every log; each log with the prior of the other repositories."""
    repositories = sorted({log.repository for log in logs})
    with ProcessPoolExecutor(PROCESSES) as pool:
        priors = dict(
            zip(
                repositories,
                pool.map(partial(prior_without, logs=logs), repositories),
                strict=True,
            )
        )
        longest_first = sorted(range(len(logs)), key=lambda i: -len(logs[i].records))
        jobs = {
            i: pool.submit(judge, logs[i], priors[logs[i].repository], with_peers)
            for i in longest_first
        }
        return [jobs[i].result() for i in range(len(logs))]


if __name__ == "__main__":
    main()
