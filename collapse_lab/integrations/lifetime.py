"""What becomes of the runs of a process when it ends, is asked to end, or forks.

At exit and on SIGTERM, where the program has no handler of its own, what was logged is written
first. In a forked child, which has no recorder thread and must not write, the runs become inert.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from importlib import import_module
from types import FrameType
from typing import Protocol


class Living(Protocol):
    """A run as its process's end concerns it."""

    def finish(self, state: str = ...) -> None: ...
    def forget(self) -> None: ...


live: set[Living] = set()


def keep(run: Living) -> None:
    """From now on the run is finished with the process, until it finishes by itself.

    A handler of SIGTERM of the program's own is left alone; only the main thread may set one.
    """
    live.add(run)
    on_main_thread = threading.current_thread() is threading.main_thread()
    if on_main_thread and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _finish_and_die)


import_module("concurrent.futures.thread")  # sealing needs it, and at exit it cannot be loaded


@atexit.register
def _finish_at_exit() -> None:
    state = "failed" if getattr(sys, "last_value", None) else "finished"
    for run in list(live):
        run.finish(state)


def _finish_and_die(number: int, frame: FrameType | None) -> None:
    for run in list(live):
        run.finish("stopped")
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _forget_in_child() -> None:
    for run in live:
        run.forget()
    live.clear()
    if signal.getsignal(signal.SIGTERM) is _finish_and_die:
        with contextlib.suppress(ValueError):  # forked off a thread
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


os.register_at_fork(after_in_child=_forget_in_child)
