"""kill -9 at random moments: is an acknowledged record ever lost?

    python -m benchmarks.kill [--tries 200] [--seed 0]

`writer` kills a process that appends to a run folder. `relay`, `observer` and `both` kill the
processes of `collapse-lab watch` around a command that counts steps. A record is acknowledged
once `append` has returned, or once a reader has seen it. Every try ends with the run continued.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from collapse_lab.liveness import writer_lives
from collapse_lab.scoring.markdown import table_of
from collapse_lab.store import RunReader

TARGETS = ("writer", "relay", "observer", "both")
STEPS, STEP_SECONDS = 150, 0.005
PATIENCE_SECONDS = 90.0

WRITER = """
import os, sys
from collapse_lab import Record, RunWriter
writer = RunWriter(sys.argv[1])
step = int(sys.argv[2])
while True:
    writer.append(Record(step, values={"loss/total": step / 7, "policy/entropy": float("nan")}))
    os.write(1, b"%d\\n" % step)
    step += 1
"""
COUNTER = f"""
import sys, time
first = int(sys.argv[1])
for step in range(first, first + {STEPS}):
    print(f"step:{{step}} - actor/grad_norm:{{0.5 + step % 7 / 50:.3f}}", flush=True)
    time.sleep({STEP_SECONDS})
open(sys.argv[2], "a").write("done\\n")
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One try. `lost` acknowledged steps; `survived`: the command came to its end although what
    watched it was killed; `continued`: the run went on in its folder afterwards."""

    target: str
    acknowledged: int
    lost: int
    survived: bool
    continued: bool


def kill_writer(folder: Path, dice: random.Random) -> Outcome:
    """A writer killed while it appends, then another that goes on."""
    line = [sys.executable, "-c", WRITER, str(folder)]
    acknowledged = _killed_writer([*line, "0"], dice.uniform(0.2, 0.6))
    found = _steps(folder)
    lost = len(set(acknowledged) - set(found))
    more = _killed_writer([*line, str(len(found))], 0.4)
    continued = _steps(folder)[: len(found) + len(more)] == list(range(len(found) + len(more)))
    return Outcome("writer", len(acknowledged), lost, True, continued)


def kill_watch(target: str, folder: Path, dice: random.Random) -> Outcome:
    """`collapse-lab watch` killed at any moment of its life, then resumed with another command."""
    done, printed = folder.with_suffix(".done"), folder.with_suffix(".out")
    with printed.open("wb") as output:
        relay = subprocess.Popen(_watch(folder, 0, done), stdout=output, stderr=output)
        if dice.random() < 0.75:
            _becomes(lambda: bool(_steps(folder)))
        time.sleep(dice.uniform(0.0, 1.0))
        acknowledged = set(_steps(folder))
        observer = _observer(folder)
        if target in ("observer", "both") and observer:
            os.kill(observer, signal.SIGKILL)
        if target in ("relay", "both"):
            relay.kill()
        relay.wait()
    _becomes(lambda: not _observer(folder))
    started = b"step:" in printed.read_bytes()
    survived = done.exists() or not started
    lost = len(acknowledged - set(_steps(folder)))
    first = max(_steps(folder), default=-1) + 1
    again = subprocess.run(_watch(folder, first, done), capture_output=True)
    recorded = set(_steps(folder))
    continued = (
        again.returncode == 0
        and acknowledged | set(range(first, first + STEPS)) <= recorded
        and RunReader(folder).meta["state"] == "finished"
    )
    return Outcome(target, len(acknowledged), lost, survived, continued)


def attempt(target: str, folder: Path, dice: random.Random) -> Outcome:
    """One try of any kind in a fresh folder."""
    return kill_writer(folder, dice) if target == "writer" else kill_watch(target, folder, dice)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tries", type=int, default=200, help="for the writer, and for watch")
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    dice = random.Random(given.seed)
    lines: list[list[str]] = []
    with tempfile.TemporaryDirectory() as root:
        for target in TARGETS:
            share = 1 if target == "writer" else len(TARGETS) - 1
            tries = [
                attempt(target, Path(root) / f"{target}-{number}", dice)
                for number in range(math.ceil(given.tries / share))
            ]
            counts = (
                len(tries),
                sum(outcome.acknowledged for outcome in tries),
                sum(outcome.lost for outcome in tries),
                sum(outcome.survived for outcome in tries),
                sum(outcome.continued for outcome in tries),
            )
            lines.append([target, *map(str, counts)])
            print(*lines[-1], flush=True)
    header = ("killed", "tries", "records acknowledged", "lost", "command survived", "continued")
    print(table_of(header, lines))


def _killed_writer(line: list[str], seconds: float) -> list[int]:
    """Steps whose `append` had returned when the writer was killed."""
    process = subprocess.Popen(line, stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.peek(1)  # pyright: ignore[reportAttributeAccessIssue]
    time.sleep(seconds)
    process.kill()
    return [int(step) for step in process.communicate()[0].splitlines() if step]


def _watch(folder: Path, first: int, done: Path) -> list[str]:
    program = "from collapse_lab.cli import main; main()"
    options = ["--root", str(folder.parent), "--name", folder.name]
    command = [sys.executable, "-c", COUNTER, str(first), str(done)]
    return [sys.executable, "-c", program, "watch", *options, "--", *command]


def _observer(folder: Path) -> int | None:
    """The process that writes the run folder; None when it has ended, or not yet begun."""
    meta = RunReader(folder).meta
    return meta["pid"] if meta.get("state") == "running" and writer_lives(meta) else None


def _steps(folder: Path) -> list[int]:
    return [record.step for record in RunReader(folder).new()]


def _becomes(true: Callable[[], bool]) -> bool:
    """Whether it becomes true within our patience."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not true() and time.monotonic() < end:
        time.sleep(0.05)
    return true()


if __name__ == "__main__":
    main()
