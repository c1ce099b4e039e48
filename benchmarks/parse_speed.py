"""How fast a verl console log is read, against plain references on the same content.

    python -m benchmarks.parse_speed [--megabytes 100]

Writes a log as verl prints it (Ray prefix, progress bars and chatter between the metric lines,
NumPy scalars in some) into a temporary folder and reads it on one core: with `Log(path).close()`,
with a regular expression that finds the same pairs and translates no names, and with `json.loads`
of the same numbers as JSON lines. Seconds are CPU time.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from collapse_lab.readers.aliases.llm import LLM
from collapse_lab.readers.reader import Log
from collapse_lab.scoring.markdown import table_of

PREFIX = "\x1b[36m(TaskRunner pid=4242)\x1b[0m "
PAIR = re.compile(r" - ([^\s:]+):(\S+)")
NUMPY = re.compile(r"np\.float64\((.*)\)")
STEP = re.compile(r"step:(\d+) - ")
EXTRA = [f"timing_s/part_{i}" for i in range(30)] + [f"perf/part_{i}" for i in range(10)]
CHATTER_LINES = 4


def write_log(path: Path, megabytes: float) -> tuple[Path, int]:
    """Writes the log and the same numbers as JSON lines beside it; gives that and the steps."""
    names = [name for name in LLM["verl"] if "*" not in name] + EXTRA
    random = np.random.default_rng(0)
    twin = path.with_suffix(".jsonl")
    step = 0
    with path.open("w") as log, twin.open("w") as plain:
        while log.tell() < megabytes * 2**20:
            step += 1
            values = np.exp(random.normal(size=len(names)))
            text = [
                f"np.float64({value!r})" if i % 9 == 0 else repr(value)
                for i, value in enumerate(values.tolist())
            ]
            pairs = " - ".join(f"{name}:{value}" for name, value in zip(names, text, strict=True))
            for line in range(CHATTER_LINES):
                log.write(f"{PREFIX}(WorkerDict) generation {step}.{line} done, 128 prompts\n")
            bar = f"\rTraining Progress:   1%|   | {step}/99999 [00:10<99:59, 4.2s/it]"
            log.write(f"{PREFIX}{bar}\n{PREFIX}step:{step} - {pairs}\n")
            row = {"step": step, "data": dict(zip(names, values.tolist(), strict=True))}
            plain.write(json.dumps(row) + "\n")
    return twin, step


def read_with_ours(path: Path) -> int:
    """Records under canonical names."""
    return len(Log(path).close())


def read_with_regex(path: Path) -> int:
    """The same pairs by regular expression, names as they are."""
    rows = 0
    with path.open() as file:
        for line in file:
            if (found := STEP.search(line)) is None:
                continue
            pairs = PAIR.findall(line, found.end() - 3)
            values = {
                name: float(text.removeprefix("np.float64(").rstrip(")")) for name, text in pairs
            }
            rows += bool(values)
    return rows


def read_with_json(path: Path) -> int:
    """The numbers when they are JSON already."""
    with path.open() as file:
        return sum(bool(json.loads(line)["data"]) for line in file)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time to read a verl console log.")
    parser.add_argument("--megabytes", type=float, default=100)
    size = parser.parse_args().megabytes
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "console.log"
        twin, steps = write_log(log, size)
        jobs: dict[str, tuple[Callable[[Path], int], Path]] = {
            "`Log(path).close()`": (read_with_ours, log),
            "regular expression, no names": (read_with_regex, log),
            "`json.loads`, as JSON lines": (read_with_json, twin),
        }
        lines: list[list[str]] = []
        for name, (read, path) in jobs.items():
            started = time.process_time()
            rows = read(path)
            seconds = time.process_time() - started
            assert rows == steps, f"{name} found {rows} of {steps} steps"
            megabytes = path.stat().st_size / 2**20
            lines.append([name, f"{megabytes:.0f}", f"{seconds:.2f}", f"{megabytes / seconds:.0f}"])
    print(f"{steps:,} steps")
    print(table_of(["reader", "MB", "CPU seconds", "MB a second"], lines))


if __name__ == "__main__":
    main()
