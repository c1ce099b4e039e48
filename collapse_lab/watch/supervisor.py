"""Runs a command under watch: what the shell starts, signals and waits for.

Imports nothing heavy: it is forked from, and it must start the command without delay.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from collapse_lab.actions import Stop
from collapse_lab.store import RUN_VARIABLE, STOP_ON_VARIABLE
from collapse_lab.watch.child import FORWARDED, ON_REQUEST, STDERR, Child, Streams, roomy_pipe
from collapse_lab.watch.feed import STARTED, Feed
from collapse_lab.watch.relay import Relay

if TYPE_CHECKING:
    from collapse_lab.watch.plan import Plan

STOPPED_BY_US = 3
READY_SECONDS = 60.0
"""How long the command waits for the observer, which may refuse an alert target."""
SETTLE_SECONDS = 30.0
"""How long the end waits for an observer that makes no progress, alerts included."""


class CannotWatch(Exception):
    """The observer refused to begin; the command was not started."""


def watch(command: Sequence[str], plan: Plan, environment: Mapping[str, str]) -> int:
    """The command's exit code, or 3 when an alarm had it stopped.

    Raises CannotWatch, and OSError when the command cannot be started.
    """
    _open_standard_streams()
    streams = Streams.like_ours()
    feed_end, feed = roomy_pipe()
    orders, orders_end = os.pipe()
    if os.fork() == 0:
        os.close(feed)
        os.close(orders)
        _observe(plan, streams, feed_end, orders_end)
    os.close(feed_end)
    os.close(orders_end)
    wake, wake_end = os.pipe()
    hand = Feed(feed)
    waiting = _Waiting(streams)
    relay = Relay(
        streams.sources,
        hand,
        orders,
        terminal=streams.terminal,
        wake=wake,
        suspend=waiting.suspend,
    )
    message = relay.await_message(READY_SECONDS)
    if message and "error" in message:
        raise CannotWatch(message["error"])
    child = waiting.child = Child(command, streams, _environment(environment, plan))
    hand.send(STARTED, str(child.pid).encode())
    with _signals(waiting, wake_end):
        code = relay.run_to_end(child)
        waiting.leave()
        waiting.terminal = None
        if not relay.settle(SETTLE_SECONDS, lambda: waiting.hurried):
            relay.say(
                f"collapse-lab: still writing to {plan.folder}; not waiting for it any longer"
            )
    return STOPPED_BY_US if relay.stopped else code


def _open_standard_streams() -> None:
    """Where we were started with one closed, a pipe of ours would take its number."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def _environment(ours: Mapping[str, str], plan: Plan) -> dict[str, str]:
    """The command's environment: ours, the run folder, when to end by itself, and a Python that
    does not hold back what it prints to a pipe, where an alarm would come some thousand characters
    late."""
    stops = {STOP_ON_VARIABLE: plan.policy.least} if isinstance(plan.policy.action, Stop) else {}
    return {"PYTHONUNBUFFERED": "1", **ours, RUN_VARIABLE: str(plan.folder), **stops}


class _Waiting:
    """We, while the command runs: stopped and continued together with it."""

    def __init__(self, streams: Streams) -> None:
        self.terminal = streams.terminal
        self.child: Child | None = None
        self.hurried = False

    def forward(self, number: int, frame: FrameType | None = None) -> None:
        """Passes a signal on to the command, once. After its end it is for us, and its exit code
        is not lost to it."""
        if self.child:
            self.hurried |= self.child.ended and number not in ON_REQUEST
            self.child.send(number)

    def suspend(self, number: int = signal.SIGTSTP, frame: FrameType | None = None) -> None:
        """Ctrl-Z: stops the command and ourselves, until somebody continues us."""
        if self.child:
            self.child.suspend()
        self.leave()
        os.kill(os.getpid(), signal.SIGSTOP)

    def resume(self, number: int = signal.SIGCONT, frame: FrameType | None = None) -> None:
        """We were continued, perhaps in the foreground again: so is the command."""
        self.enter()
        self.forward(signal.SIGCONT)

    def enter(self, number: int = 0, frame: FrameType | None = None) -> None:
        """Takes the terminal as it is now, its size included."""
        if self.terminal:
            self.terminal.enter()

    def leave(self) -> None:
        """Gives the terminal back."""
        if self.terminal:
            self.terminal.leave()


@contextlib.contextmanager
def _signals(waiting: _Waiting, wake: int) -> Generator[None]:
    """Forwards what can be forwarded, unless we were started with it ignored, and wakes the relay
    at every signal, the end of a child included."""
    os.set_blocking(wake, False)
    handlers: dict[int, Callable[[int, FrameType | None], object]] = {
        **dict.fromkeys(FORWARDED, waiting.forward),
        signal.SIGTSTP: waiting.suspend,
        signal.SIGCONT: waiting.resume,
        signal.SIGWINCH: waiting.enter,
        signal.SIGCHLD: lambda number, frame: None,
    }
    old_wake = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    old = {
        number: signal.signal(number, handler)
        for number, handler in handlers.items()
        if number == signal.SIGCHLD or signal.getsignal(number) != signal.SIG_IGN
    }
    waiting.enter()
    try:
        yield
    finally:
        waiting.leave()
        for number, handler in old.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(old_wake)


def _observe(plan: Plan, streams: Streams, feed: int, orders: int) -> NoReturn:
    """The forked process; never returns into the code that it was forked from."""
    try:
        from collapse_lab.watch.observer import observe

        observe(plan, streams, feed, orders)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(0)
