"""Several training loops stepped in turn in one process, and our own with its probes taken out.

A shared machine is faster or slower from minute to minute; steps that follow each other have the
same minute. CPU time is the process's, and the two loops never run at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import Semaphore, Thread
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np

from collapse_lab.records import Record
from collapse_lab.trainers import checkpoints, loop
from collapse_lab.trainers.recipes import Recipe

Tick = Callable[[], object]


class Seconds(NamedTuple):
    cpu: float
    wall: float


class Stepped:
    """A loop in a thread of its own, which goes on only while `step` waits for it.

    The loop is given a function to call at the end of every step. What is left of it when the
    program ends is dropped.
    """

    def __init__(self, loop: Callable[[Tick], object]) -> None:
        self._loop = loop
        self._go, self._done = Semaphore(0), Semaphore(0)
        self._error: BaseException | None = None
        Thread(target=self._run, daemon=True).start()

    def step(self) -> Seconds:
        """Runs the next step (the first one with whatever comes before it)."""
        cpu, wall = time.process_time(), time.perf_counter()
        self._go.release()
        self._done.acquire()
        if self._error is not None:
            raise self._error
        return Seconds(time.process_time() - cpu, time.perf_counter() - wall)

    def _run(self) -> None:
        self._go.acquire()
        try:
            self._loop(self._tick)
            raise RuntimeError("the loop has no more steps")
        except BaseException as error:
            self._error = error
            self._done.release()

    def _tick(self) -> None:
        self._done.release()
        self._go.acquire()


def ours(recipe: Recipe, cache: Path, keep: Callable[[Record], object] | None = None) -> Stepped:
    """Our loop; `keep` is given its records."""

    def train(tick: Tick) -> None:
        def emit(record: Record) -> None:
            if keep is not None:
                keep(record)
            tick()

        loop.train(recipe, emit, cache=cache)

    return Stepped(train)


class NoObserver:
    """Takes an Observer's place and looks at nothing."""

    def __init__(self, **settings: object) -> None: ...

    def batch(self, **tensors: object) -> None: ...

    def update(self, parameters: object) -> nullcontext[None]:
        return nullcontext()

    def show(self, tensors: object) -> None: ...

    def add(self, parts: object) -> None: ...

    def step(self, step: int, values: Mapping[str, float]) -> Record:
        return Record(step, time.time(), dict(values))


@contextmanager
def without_probes() -> Iterator[None]:
    """Our loop without anything that is measured for the record alone.

    The entropy of the old policy stays: it comes out of the same pass, and credit may need it.
    """

    def nothing(*arguments: Any) -> None:
        return None

    with (
        patch.object(checkpoints, "Observer", NoObserver),
        patch.object(loop, "sampled_tensors", nothing),
        patch.object(loop, "trained_tensors", nothing),
        patch.object(loop, "success_by_kind", nothing),
        patch.object(loop, "cost_of", nothing),
    ):
        yield


def median_interval(values: list[float], seed: int = 0) -> tuple[float, float, float]:
    """Median, and the 95 % percentile interval of the median over resampled values."""
    sample = np.asarray(values)
    rows = np.random.default_rng(seed).integers(len(sample), size=(5_000, len(sample)))
    low, high = np.percentile(np.median(sample[rows], axis=1), [2.5, 97.5])
    return float(np.median(sample)), float(low), float(high)
