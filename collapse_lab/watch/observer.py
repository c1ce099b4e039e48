"""The observer: a process beside the relay that turns the command's output into records.

It writes nothing to the terminal and reads no keyboard; what it wants said or done it asks the
relay for. When the relay is killed it copies the output itself from then on: the command lives
and stays watched, only its exit code is lost.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import FrameType
from typing import Any

from collapse_lab.readers.reader import LineReader
from collapse_lab.records import Record
from collapse_lab.watch import QUIET_SECONDS
from collapse_lab.watch.child import FORWARDED, STDERR, Streams, ask, send
from collapse_lab.watch.feed import CHUNK, CLOSED, ENDED, STARTED, Feed, Frames
from collapse_lab.watch.inbox import InboxReader
from collapse_lab.watch.lines import Lines
from collapse_lab.watch.plan import Plan
from collapse_lab.watch.relay import Relay, write_all
from collapse_lab.watch.session import Session

LOG = "watch.log"
"""Our own tracebacks and what hooks print: neither may come between the command's lines."""
POLL_SECONDS = 0.5
UNKNOWN_EXIT = 255


def observe(plan: Plan, streams: Streams, feed: int, orders: int) -> None:
    """The whole life of the observer process, from its fork to its end."""
    os.setsid()
    for number in FORWARDED:
        signal.signal(number, _do_nothing)  # a handler, for hooks to start with the default
    streams.close_theirs()
    outputs = {number: os.dup(number) for number in {STDERR, *streams.sources.values()}}
    asking = Asking(orders)
    try:
        session = Session(plan, asking)
        _write_to_log(plan)
        observer = Observer(session, streams, outputs, feed, asking)
    except (OSError, ValueError) as error:
        asking.send(error=str(error))
        return
    asking.send(ready=True)
    session.run(observer.records(), observer.leftover)
    code = observer.exit_code
    state = "stopped" if asking.stopped else "failed" if code else "finished"
    session.finish(state, code)
    asking.close()
    observer.copy_rest()


def _do_nothing(number: int, frame: FrameType | None) -> None:
    """The relay's signals are not ours."""


class Asking:
    """`Orders` as lines of JSON to the relay; safe to use from several threads."""

    def __init__(self, descriptor: int) -> None:
        self.stopped = False
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def send(self, **message: Any) -> None:
        """Hands one message over; a relay that has died gets none."""
        with self._lock, contextlib.suppress(BrokenPipeError):
            write_all(self._descriptor, json.dumps(message).encode() + b"\n")

    def say(self, text: str) -> None:
        self.send(say=text)

    def signal(self, number: int) -> None:
        self.send(signal=number)

    def stop(self, grace: float, patient: bool) -> None:
        self.stopped = True
        self.send(stop=True, grace=grace, patient=patient)

    def redirect(self, descriptor: int) -> None:
        """From here on to another relay."""
        with self._lock:
            os.close(self._descriptor)
            self._descriptor = descriptor

    def close(self) -> None:
        """Nothing more will be asked."""
        os.close(self._descriptor)


class Observer:
    """The stream of records out of the command's output and its inbox.

    Records that the process itself reports are preferred to those parsed from what it prints.
    `exit_code` is None when nobody could tell. `leftover` is what an earlier process had reported
    and no watcher stored.
    """

    def __init__(
        self,
        session: Session,
        streams: Streams,
        outputs: dict[int, int],
        feed: int,
        asking: Asking,
    ) -> None:
        self.exit_code: int | None = None
        self._session = session
        self._streams, self._outputs = streams, outputs
        self._sources = dict(streams.sources)
        self._feed = feed
        self._asking = asking
        self._inbox = InboxReader(
            session.plan.folder, session.past, session.learn, session.complain
        )
        self.leftover = self._inbox.leftover
        self._frames, self._lines, self._reader = Frames(), Lines(), LineReader()
        self._framework: str | None = None
        self._config: Mapping[str, Any] = {}
        self._pid = 0
        self._relay_lives, self._ended = True, False

    def records(self) -> Iterator[Record]:
        """Records until the command and its output have ended."""
        last_heard = time.monotonic()
        while not self._ended:
            lines = self._hear()
            yield from self._from_inbox()
            if lines:
                last_heard = time.monotonic()
                for line in lines:
                    yield from self._printed(line)
            elif time.monotonic() - last_heard > QUIET_SECONDS:
                last_heard = time.monotonic()  # of a log without a format it is much work
                yield from self._stamped(self._read(self._reader.flush))
        yield from self._from_inbox()
        for line in self._lines.close():
            yield from self._printed(line)
        yield from self._stamped(self._read(self._reader.close))

    def copy_rest(self) -> None:
        """What the command left running may still write: copies it until it has ended, too."""
        while self._sources:
            for source in select.select(list(self._sources), [], [])[0]:
                try:
                    data = os.read(source, CHUNK)
                    write_all(self._outputs[self._sources[source]], data)
                except OSError:
                    data = b""
                if not data:
                    self._close(source)

    def _hear(self) -> list[str]:
        """Waits a moment for output; the lines that it completes."""
        if not select.select([self._feed], [], [], POLL_SECONDS)[0]:
            return []
        data = os.read(self._feed, CHUNK)
        if not data:
            self._take_over()
        lines: list[str] = []
        for kind, payload in self._frames.feed(data):
            if kind == STARTED:
                self._pid = int(payload)
            elif kind == CLOSED:
                self._close(int(payload))
            elif kind == ENDED:
                self._ended = True
                self.exit_code = int(payload) if self._relay_lives else None
            else:
                lines += self._lines.feed(kind, payload)
        return lines

    def _from_inbox(self) -> Iterator[Record]:
        records = self._inbox.new()
        if self._inbox.active:
            self._session.cooperative = True
        yield from records

    def _printed(self, line: str) -> Iterator[Record]:
        records = self._read(lambda: self._reader.feed(line))
        framework = self._reader.assembler.names.framework
        if framework != self._framework and not self._inbox.active:
            self._framework = framework
            self._session.learn(framework=framework, format=self._reader.format)
        if records and not self._inbox.active and self._reader.config != self._config:
            self._config = self._reader.config
            self._session.learn(config=self._config)
        yield from self._stamped(records)

    def _read(self, read: Callable[[], list[Record]]) -> list[Record]:
        try:
            return read()
        except Exception as error:
            traceback.print_exc()
            text = f"something printed could not be read and is left out: {error!r}"
            self._session.complain(text)
            return []

    def _stamped(self, records: list[Record]) -> Iterator[Record]:
        """Printed records, which seldom tell the time; none where the process reports itself."""
        if not self._inbox.active:
            now = time.time()
            for record in records:
                yield record if record.time == record.time else replace(record, time=now)

    def _close(self, source: int) -> None:
        if self._sources.pop(source, None) is not None:
            os.close(source)

    def _take_over(self) -> None:
        """The relay was killed: does its work on a thread, over pipes like those to the relay."""
        self._relay_lives = False
        if self._streams.terminal:
            self._streams.terminal.restore()
        os.close(self._feed)
        self._feed, feed_end = os.pipe()
        orders, orders_end = os.pipe()
        self._frames = Frames()
        if not self._pid:  # it was killed before it had started the command
            self._ended = True
            return
        sources = {fd: self._outputs[number] for fd, number in self._sources.items()}
        relay = Relay(sources, Feed(feed_end), orders, voice=self._outputs[STDERR])
        self._sources = {}
        self._asking.redirect(orders_end)
        relay.say(
            f"collapse-lab: the process that watched was killed. The command goes on (process "
            f"group {self._pid}) and is still watched; its exit code will not be known."
        )
        group = Orphans(self._pid)
        threading.Thread(target=relay.run_to_end, args=(group,), daemon=True).start()


def _write_to_log(plan: Plan) -> None:
    """What we and our hooks print from here on goes into the run folder."""
    log = os.open(plan.folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(log)
    os.close(nothing)


class Orphans:
    """A process group whose parent has died: nobody can wait for it, only ask whether it lives."""

    def __init__(self, group: int) -> None:
        self._group = group

    def poll(self) -> int | None:
        try:
            os.killpg(self._group, 0)
        except ProcessLookupError:
            return UNKNOWN_EXIT
        return None

    def send(self, number: int) -> None:
        send(self._group, number)

    def ask(self, number: int) -> bool:
        return ask(self._group, number)
