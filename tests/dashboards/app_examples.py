"""Run folders as the writers leave them, and the app that shows them, for tests of the app."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from collapse_lab.records import Alarm, Evidence, Record, Severity
from collapse_lab.store import RunWriter

COMMAND = [sys.executable, "-c", "from collapse_lab.cli import main; main()"]
ENTROPY = Evidence("policy/entropy", "policy", 4, 0.1, 0.4, 0.3, 0.5, "down", 9.0, 2, 3)


def alarm_at(step: int, severity: Severity = "alarm") -> Alarm:
    """Entropy fell, two steps before."""
    return Alarm(
        step=step,
        severity=severity,
        detector="e-detector",
        message="3 families of signals deviate together; policy/entropy down",
        since=step - 2,
        since_interval=(step - 3, step - 1),
        evidence=(ENTROPY,),
        last_healthy_step=step - 4,
    )


def write_run(
    folder: Path,
    rewards: Iterable[float] = (0.1, 0.2, 0.3),
    alarms: Iterable[Alarm] = (),
    finish: bool = True,
    **meta: object,
) -> RunWriter:
    """One record a step from 0 on, a second apart, written as `watch` writes them."""
    writer = RunWriter(folder, meta)
    for step, reward in enumerate(rewards):
        values = {"reward/mean": reward, "policy/entropy": 0.5 + 0.01 * (step % 3)}
        writer.append(Record(step, 1000.0 + step, values))
    for alarm in alarms:
        writer.alarm(alarm)
    if finish:
        writer.finish()
    return writer


def collapsing(steps: int = 60) -> list[float]:
    """A reward that rises to 1, stays there and falls to 0 for good at step 40."""
    return [1 - math.exp(-step / 5) if step < 40 else 0.0 for step in range(steps)]


class Deadly:
    """Kills the process that it is sent to."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.abort, ()


@contextmanager
def served(root: Path, *options: str) -> Iterator[str]:
    """`collapse-lab dash` on a free port; gives its link."""
    command = [*COMMAND, "dash", str(root), "--port", "0", "--no-browser", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split(" at ")[1].strip()
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
