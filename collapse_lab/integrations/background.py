"""A daemon thread that works through a queue, so that the training thread never waits for us."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

logger = logging.getLogger("collapse_lab")
Item = TypeVar("Item")


class Complaints:
    """Tells of a failure once; the same failure a thousand steps later is no news."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def once(self, kind: str, message: str, *args: object, exc_info: bool = False) -> None:
        if kind not in self._told:
            self._told.add(kind)
            logger.warning("collapse-lab: " + message, *args, exc_info=exc_info)


class _End:
    """Put last: the thread ends when it gets here."""


class Background(Generic[Item]):
    """Calls `handle` on every item put, in order; `idle` runs when `idle_after` seconds of quiet
    follow an item. A failure in either is told once and the thread goes on.
    """

    def __init__(
        self,
        name: str,
        handle: Callable[[Item], object],
        idle: Callable[[], None] | None = None,
        idle_after: float | None = None,
    ) -> None:
        self._handle, self._idle, self._idle_after = handle, idle, idle_after
        self._complaints = Complaints()
        self._queue: queue.SimpleQueue[Item | threading.Event | _End] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Hands an item over and returns at once. Safe inside a signal handler."""
        self._queue.put(item)

    def drain(self, timeout: float) -> bool:
        """Waits until all that was put before is handled; False when it took too long."""
        done = threading.Event()
        self._queue.put(done)
        return done.wait(timeout)

    def close(self, timeout: float) -> bool:
        """Drains and ends the thread; False when it took too long."""
        self._queue.put(_End())
        if threading.current_thread() is not self._thread:  # an item's handler may end the run
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _work(self) -> None:
        quiet_since_item = True
        while True:
            try:
                item = self._queue.get(timeout=None if quiet_since_item else self._idle_after)
            except queue.Empty:
                quiet_since_item = True
                self._guarded(self._idle)
                continue
            if isinstance(item, _End):
                return
            if isinstance(item, threading.Event):
                item.set()
            else:
                quiet_since_item = self._idle is None
                self._guarded(self._handle, item)

    def _guarded(self, function: Callable[..., object] | None, *args: object) -> None:
        if function is None:
            return
        try:
            function(*args)
        except Exception as error:
            self._complaints.once(
                f"{type(error).__name__}",
                "the %s failed and the training goes on without it: %s",
                self._thread.name.removeprefix("collapse-lab "),
                error,
                exc_info=True,
            )
