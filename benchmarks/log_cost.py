"""What one log call costs the training thread: 50 numbers a step.

    python -m benchmarks.log_cost [--steps 2000]

`run.log` records and judges on a thread of its own, so two figures matter: the time until the
call returns, and the CPU time that the process spends on a step in all (a training thread that
holds the interpreter pays it too). The same numbers go to wandb (offline) and trackio (local) in
the same process, one logger after the other, with the same pause between steps.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path
from statistics import median, quantiles

import numpy as np

import collapse_lab
from collapse_lab.scoring.markdown import plain, table_of
from collapse_lab.signals import SIGNALS

NUMBERS = 50
PAUSE = 0.002
"""Seconds between steps: far shorter than any training step, long enough for the threads."""
Log = Callable[[dict[str, float], int], object]


@contextlib.contextmanager
def no_logger(folder: Path) -> Generator[Log]:
    yield lambda data, step: None


@contextlib.contextmanager
def ours(folder: Path) -> Generator[Log]:
    with collapse_lab.init("cost", root=folder / "runs") as run:
        yield lambda data, step: run.log(data, step)


@contextlib.contextmanager
def ours_waiting(folder: Path) -> Generator[Log]:
    def log(data: dict[str, float], step: int) -> None:
        run.log(data, step)
        run.flush()

    with collapse_lab.init("cost", root=folder / "waiting") as run:
        yield log


@contextlib.contextmanager
def wandb_offline(folder: Path) -> Generator[Log]:
    import wandb

    settings = wandb.Settings(silent=True, console="off", x_disable_stats=True)
    run = wandb.init(project="cost", mode="offline", dir=folder, settings=settings)
    yield lambda data, step: run.log(data, step=step)
    run.finish()


@contextlib.contextmanager
def trackio_local(folder: Path) -> Generator[Log]:
    os.environ["TRACKIO_DIR"] = str(folder / "trackio")
    import trackio

    with contextlib.redirect_stdout(None):
        trackio.init(project="cost")
        yield lambda data, step: trackio.log(data, step=step)
        trackio.finish()


LOGGERS = {
    "nothing (the loop itself)": no_logger,
    "collapse-lab `run.log`": ours,
    "collapse-lab `run.log` + `flush`": ours_waiting,
    "wandb offline `run.log`": wandb_offline,
    "trackio local `trackio.log`": trackio_local,
}


def measure(
    logger: Callable[[Path], contextlib.AbstractContextManager[Log]], steps: int
) -> tuple[float, float, float]:
    """Median and 99th percentile of a call and CPU time a step, all in microseconds."""
    names = list(SIGNALS)[:NUMBERS]
    random = np.random.default_rng(0)
    calls: list[float] = []
    cpu = 0.0
    with tempfile.TemporaryDirectory() as folder, logger(Path(folder)) as log:
        for step in range(-50, steps):
            values = dict(
                zip(names, (0.3 + 0.05 * random.random(len(names))).tolist(), strict=True)
            )
            if step == 0:
                calls.clear()
                cpu = time.process_time()
            begin = time.perf_counter()
            log(values, step + 50)
            calls.append(time.perf_counter() - begin)
            time.sleep(PAUSE)
        cpu = time.process_time() - cpu
    return median(calls) * 1e6, quantiles(calls, n=100)[98] * 1e6, cpu / steps * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    steps = parser.parse_args().steps
    header = ("microseconds a step", "call, median", "call, 99th percentile", "CPU of the process")
    lines = [
        (label, *(plain(figure, 0) for figure in measure(logger, steps)))
        for label, logger in LOGGERS.items()
    ]
    print(f"{NUMBERS} numbers a step, {steps} steps, Python {platform.python_version()}\n")
    print(table_of(header, lines))


if __name__ == "__main__":
    main()
