"""The relay: copies the command's output as it arrives and carries out the observer's orders.

One loop, no threads: whatever is readable is written on at once, and a copy goes to the observer
over a pipe that never blocks. Orders come back as lines of JSON: text to say between two lines
of the command's output, a signal to send, a stop.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import struct
import termios
import time
from collections.abc import Callable
from typing import Any, Protocol

from collapse_lab.watch.child import STDERR, Terminal
from collapse_lab.watch.feed import CHUNK, CLOSED, ENDED, Feed

KEYBOARD = 0
LOOK_EVERY = 1.0
QUIET_AFTER_END, LONGEST_AFTER_END = 0.2, 2.0
"""Seconds for what is still written once the command has ended: something that it left running may
hold the other end open for ever. What it wrote itself is copied however long our reader takes."""
_COUNT = struct.Struct("i")


class Group(Protocol):
    """The command and its process group, as far as the relay deals with them."""

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        ...

    def send(self, number: int) -> None:
        """Sends a signal; nothing when it has ended."""
        ...

    def ask(self, number: int) -> bool:
        """Sends a signal that `--on-alarm` names; False when nobody handles it and it was not."""
        ...


class Relay:
    """`sources` maps a descriptor that we read to the one it is copied to; those that are left in
    it when `run` returns are still open. `orders` comes from the observer, `observed` turns false
    when it has gone. `stopped` is true once the command was ordered to stop. What we say ourselves
    goes to `voice`. `wake` becomes readable when a child may have ended; `suspend` is called for
    Ctrl-Z.
    """

    def __init__(
        self,
        sources: dict[int, int],
        feed: Feed,
        orders: int,
        *,
        terminal: Terminal | None = None,
        voice: int = STDERR,
        wake: int | None = None,
        suspend: Callable[[], None] = lambda: None,
    ) -> None:
        self.sources = sources
        self.observed = True
        self.stopped = False
        self._feed = feed
        self._orders = orders
        self._terminal = terminal
        self._voice = voice
        self._wake = wake
        self._suspend = suspend
        self._keyboard_open = True
        self._typed = b""
        self._half_order = b""
        self._mid_line: set[int] = set()
        self._ladder: list[tuple[float, int]] = []
        self._unread: dict[int, int] = {}
        if terminal:
            os.set_blocking(terminal.master, False)

    def run(self, group: Group) -> int:
        """Copies until the command has ended and its output with it; returns its exit code."""
        watched = True
        while (code := group.poll()) is None:
            self._climb(group)
            self._turn(self._patience(), group)
            if watched and not self.observed:
                watched = False
                self._feed.close()
                self.say("collapse-lab: the observer has died; the command goes on unwatched")
        end = time.monotonic() + LONGEST_AFTER_END
        self._unread = {source: _unread(source) for source in self.sources}
        while self.sources and (any(self._unread.values()) or time.monotonic() < end):
            if not self._turn(QUIET_AFTER_END, group):
                break
        return code

    def run_to_end(self, group: Group) -> int:
        """`run`, then tells the observer of the end; returns the exit code."""
        code = self.run(group)
        self._feed.send(ENDED, str(code).encode())
        return code

    def await_message(self, seconds: float) -> dict[str, Any] | None:
        """The observer's next message that is no order, such as `ready`; None when none came."""
        end = time.monotonic() + seconds
        while self.observed and (left := end - time.monotonic()) > 0:
            if select.select([self._orders], [], [], left)[0]:
                for message in self._new_orders():
                    if not self._obey(message, None):
                        return message
        return None

    def settle(self, seconds: float, hurried: Callable[[], bool]) -> bool:
        """Lets the observer finish, unless somebody is in a hurry; False when it has made no
        progress for so many seconds."""
        waiting, since = self._feed.waiting, time.monotonic()
        while self.observed and not hurried():
            self._turn(0.1, None, copying=False)
            if self._feed.waiting < waiting:
                waiting, since = self._feed.waiting, time.monotonic()
            if time.monotonic() - since > seconds:
                return False
        return True

    def say(self, text: str) -> None:
        """Writes lines of our own to standard error, never into a line of the command's."""
        shared = self._mid_line if os.isatty(self._voice) else self._mid_line & {self._voice}
        text = "\n" * bool(shared) + text.rstrip("\n") + "\n"
        self._mid_line -= shared
        if self._terminal and self._terminal.prints_raw and self._reads_keyboard():
            # raw: the terminal returns no carriage by itself
            text = text.replace("\n", "\r\n")
        with contextlib.suppress(OSError):
            write_all(self._voice, text.encode())

    def _turn(self, seconds: float, group: Group | None, copying: bool = True) -> bool:
        """Waits for something to do and does it; whether output was copied."""
        readable, writable = self._wait(seconds, copying)
        copied = False
        for source in self.sources.keys() & readable:
            copied |= self._copy(source)
        if KEYBOARD in readable:
            self._read_keyboard()
        if self._terminal and self._terminal.master in writable:
            self._type()
        if self._feed.descriptor in writable:
            self._feed.pump()
        if self._wake is not None and self._wake in readable:
            os.read(self._wake, CHUNK)
        if self._orders in readable:
            for order in self._new_orders():
                self._obey(order, group)
        return copied

    def _wait(self, seconds: float, copying: bool) -> tuple[set[int], set[int]]:
        poll = select.poll()
        interest: dict[int, int] = {}
        if copying:
            interest = dict.fromkeys(self.sources, select.POLLIN)
            if self._reads_keyboard():
                interest[KEYBOARD] = select.POLLIN
            if self._typed and self._terminal and self._terminal.master in interest:
                interest[self._terminal.master] |= select.POLLOUT
            if self._wake is not None:
                interest[self._wake] = select.POLLIN
        if self.observed:
            interest[self._orders] = select.POLLIN
        if self._feed.waiting and not self._feed.broken:
            interest[self._feed.descriptor] = select.POLLOUT
        for descriptor, events in interest.items():
            poll.register(descriptor, events)
        happened = poll.poll(seconds * 1000)
        ended = select.POLLHUP | select.POLLERR
        return (
            {fd for fd, event in happened if event & (select.POLLIN | ended)},
            {fd for fd, event in happened if event & (select.POLLOUT | ended)},
        )

    def _copy(self, source: int) -> bool:
        """Copies what there is; a source at its end, or without a reader of its copy, is closed:
        the command then meets the broken pipe that it would have met without us."""
        try:
            data = os.read(source, CHUNK)
        except BlockingIOError:
            return False
        except OSError:  # the other end of a pseudo-terminal has closed
            data = b""
        target = self.sources[source]
        self._unread[source] = max(0, self._unread.get(source, 0) - len(data)) if data else 0
        if data:
            try:
                write_all(target, data)
            except BrokenPipeError:
                data = b""
            except OSError:  # the terminal is gone or the disk is full: the training goes on
                pass
        if not data:
            del self.sources[source]
            os.close(source)
            self._feed.send(CLOSED, str(source).encode())
            return False
        (self._mid_line.discard if data.endswith(b"\n") else self._mid_line.add)(target)
        self._feed.send(target, data)
        return True

    def _read_keyboard(self) -> None:
        assert self._terminal
        try:
            typed = os.read(KEYBOARD, CHUNK)
        except OSError:
            typed = b""
        if not typed:
            self._keyboard_open = False
        elif self._terminal.suspends(typed):
            self._suspend()
        else:
            self._typed += typed
            self._type()

    def _reads_keyboard(self) -> bool:
        return self._keyboard_open and self._terminal is not None and self._terminal.reads_keyboard

    def _type(self) -> None:
        assert self._terminal
        try:
            self._typed = self._typed[os.write(self._terminal.master, self._typed) :]
        except BlockingIOError:
            pass
        except OSError:
            self._typed = b""

    def _new_orders(self) -> list[dict[str, Any]]:
        data = os.read(self._orders, CHUNK)
        if not data:
            self.observed = False
        *lines, self._half_order = (self._half_order + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def _obey(self, order: dict[str, Any], group: Group | None) -> bool:
        """Carries an order out; False when it is none."""
        if "say" in order:
            self.say(order["say"])
        elif "signal" in order and group:
            if not group.ask(order["signal"]):
                self.say("collapse-lab: it was not sent: the command does not handle it, and would "
                         "have died of it")  # fmt: skip
        elif "stop" in order:
            self.stopped = True  # also when it has heard of the alarm first and has ended by itself
            now, grace = time.monotonic(), order["grace"]
            first = now + (grace if order["patient"] else 0)
            self._ladder = [(first, signal.SIGTERM), (first + grace, signal.SIGKILL)]
        else:
            return False
        return True

    def _climb(self, group: Group) -> None:
        while self._ladder and self._ladder[0][0] <= time.monotonic():
            group.send(self._ladder.pop(0)[1])
            group.send(signal.SIGCONT)  # a suspended command could not act on it

    def _patience(self) -> float:
        due = self._ladder[0][0] - time.monotonic() if self._ladder else LOOK_EVERY
        return max(0.0, min(due, LOOK_EVERY))


def _unread(descriptor: int) -> int:
    """Bytes that are there to be read."""
    return _COUNT.unpack(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(_COUNT.size)))[0]


def write_all(descriptor: int, data: bytes) -> None:
    """Writes all of it, also to a descriptor that somebody has set non-blocking."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
