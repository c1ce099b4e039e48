"""Work that takes the processor for long, in a process of its own: pages stay quick."""

from __future__ import annotations

import atexit
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

T = TypeVar("T")
KILLED = "the process that judged it was killed"


class Aside:
    """One patient process, started when it is first needed, and again after it was killed, as for
    memory. `niceness` is how far it stands back."""

    def __init__(self, niceness: int) -> None:
        self._niceness = niceness
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        """The answer to come; BrokenProcessPool in its place when the process is killed."""
        if self._pool is not None:
            try:
                return self._pool.submit(function, *arguments)
            except BrokenProcessPool:
                pass
        spawn = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, spawn, initializer=os.nice, initargs=(self._niceness,))
        atexit.register(self._pool.shutdown, wait=False, cancel_futures=True)
        return self._pool.submit(function, *arguments)
