"""What watching costs: time a record with 50 signals, and memory over 100,000 records.

    python -m benchmarks.cost [--records 100000]

One stream of made-up healthy records through the whole panel (front end, every detector,
explanations) and, on the same numbers in the same loop, through one of river's ADWIN and one of
its Page-Hinkley a signal. Times are the thread's CPU time, so that a busy machine does not count.
Memory is the process's resident set and the pickled state of the panel.
"""

from __future__ import annotations

import argparse
import os
import pickle
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from collapse_lab.detectors.panel import Panel
from collapse_lab.records import Record
from collapse_lab.scoring.markdown import table_of
from collapse_lab.signals import SIGNALS

SIGNALS_WATCHED = 50
TIMED = 10_000
"""Records whose times are reported: the last ones, when every window is full."""
TRANSFORMS = {
    "log": np.exp,
    "logit": lambda x: 1 / (1 + np.exp(-x)),
    "identity": lambda x: x,
}


def records(count: int, seed: int = 0) -> Iterator[Record]:
    """Autocorrelated noise on each signal's own scale; one value in a hundred is missing."""
    judged = [name for name, signal in SIGNALS.items() if signal.bad != "none"][:SIGNALS_WATCHED]
    random = np.random.default_rng(seed)
    x = np.zeros(len(judged))
    for step in range(count):
        x = 0.4 * x + 0.2 * random.normal(size=len(judged))
        missing = random.random(len(judged)) < 0.01
        yield Record(
            step,
            values={
                name: float(TRANSFORMS[SIGNALS[name].transform](value))
                for name, value, gone in zip(judged, x, missing, strict=True)
                if not gone
            },
        )


def resident_megabytes() -> float:
    """This process's resident set (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    from river.drift import ADWIN, PageHinkley

    parser = argparse.ArgumentParser(description="Time and memory of the detectors.")
    parser.add_argument("--records", type=int, default=100_000)
    total = parser.parse_args().records
    panel = Panel()
    rivers = {"river ADWIN": ADWIN, "river Page-Hinkley": PageHinkley}
    drift = {name: {signal: make() for signal in SIGNALS} for name, make in rivers.items()}
    seconds = {name: np.empty(total) for name in ("collapse-lab, all detectors", *drift)}
    marks = (total // 10, total)
    memory: list[list[str]] = []
    for count, record in enumerate(records(total), start=1):
        started = time.thread_time()
        panel.update(record)
        seconds["collapse-lab, all detectors"][count - 1] = time.thread_time() - started
        for name, detectors in drift.items():
            started = time.thread_time()
            for signal, value in record.values.items():
                detectors[signal].update(value)
            seconds[name][count - 1] = time.thread_time() - started
        if count in marks:
            state = len(pickle.dumps(panel)) / 2**20
            memory.append([f"{count:,}", f"{resident_megabytes():.1f}", f"{state:.2f}"])
    lines: list[list[str]] = []
    for name, every in seconds.items():
        last = 1000 * every[-TIMED:]
        median, tail = np.percentile(last, [50, 99])
        lines.append([name, f"{median:.3f}", f"{tail:.3f}", f"{last.mean():.3f}"])
    title = f"CPU ms a record, {SIGNALS_WATCHED} signals"
    print(table_of([title, "median", "p99", "mean"], lines))
    print()
    print(table_of(["records", "resident MB", "state of the panel, MB"], memory))


if __name__ == "__main__":
    main()
