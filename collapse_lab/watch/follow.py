"""`--follow`: a log that somebody else writes, watched as it grows."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from collapse_lab.readers.base import UnreadableLog
from collapse_lab.readers.reader import Log
from collapse_lab.records import NEW_RUN, Record
from collapse_lab.watch import QUIET_SECONDS
from collapse_lab.watch.plan import Plan
from collapse_lab.watch.session import Session
from collapse_lab.watch.status import Status
from collapse_lab.watch.stored import Stored

LOOK_EVERY = 1.0


def watch_log(path: Path, plan: Plan) -> None:
    """Until Ctrl-C or SIGTERM. Raises what `Session` raises."""
    status, stop = Status(sys.stderr), threading.Event()
    session = Session(plan, FollowOrders(status))

    def end(number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)  # the second time it means at once
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    records = follow(path, [*session.past], stop, session.learn, session.complain)
    session.run(_shown(records, plan.folder.name, status))
    status.close()
    session.finish("finished", None)


class FollowOrders:
    """`Orders` where there is no command: the command line refuses actions that would need one."""

    def __init__(self, status: Status) -> None:
        self.say = status.say

    def signal(self, number: int) -> None:
        raise NotImplementedError

    def stop(self, grace: float, patient: bool) -> None:
        raise NotImplementedError


def follow(
    path: Path,
    stored: Sequence[Record],
    stop: threading.Event,
    learn: Callable[..., None],
    complain: Callable[[str], None],
    look_every: float = LOOK_EVERY,
) -> Iterator[Record]:
    """Waits for the log to exist and to be recognised, then yields its records until `stop`.

    `stored` are records that an earlier watch of the same log has kept: they are not repeated.
    `complain` says a text once, however often it is given it.
    """
    known = Stored(stored)
    log: Log | None = None
    run, given = "", known.run
    config: Mapping[str, Any] = {}

    def fresh(records: list[Record], log: Log) -> Iterator[Record]:
        """What is not stored of them; how their run was set up is learned before the first."""
        nonlocal run, given, config
        asked = False
        for record in records:
            asked &= NEW_RUN not in record.notes
            run = record.notes.get(NEW_RUN, run)
            new = known.rest(record, run)
            if new is None:
                continue
            if not asked and (stated := log.config(run)) != config:
                config = stated
                learn(config=config)
            asked = True
            if run != given:  # what says so in the log may be stored
                given, new = run, replace(new, notes={**new.notes, NEW_RUN: run})
            yield new

    facts, size, heard = (None, None), -1, time.monotonic()
    while not stop.is_set():
        records: list[Record] = []
        try:
            # what was no log yet may become one; until then the text so far is read once
            if log is None or (log.format is None and _size(path) != size):
                opened, waiting = _opened(path)
                if waiting:
                    complain(f"waiting for {path} {waiting}")
                if log is None or (opened and opened.format):
                    log = opened
            records = log.new() if log else []
        except (OSError, UnreadableLog) as error:  # rotated just now, or a file system in trouble
            complain(f"cannot read the log, which is looked at again: {error}")
        if records or _size(path) != size:
            size, heard = _size(path), time.monotonic()
        elif log and time.monotonic() - heard > QUIET_SECONDS:
            records, heard = log.flush(), time.monotonic()
        if log and log.format and (log.framework, log.format) != facts:
            facts = log.framework, log.format
            learn(framework=log.framework, format=log.format)
        if log:
            yield from fresh(records, log)
        stop.wait(look_every)
    if log:
        try:
            rest = log.close()
        except (OSError, UnreadableLog) as error:
            complain(str(error))
            rest = log.flush()
        yield from fresh(rest, log)


def _opened(path: Path) -> tuple[Log | None, str]:
    """The log, or None, and what it is that we wait for."""
    try:
        log = Log(path)
    except FileNotFoundError:
        return None, "to appear"
    except UnreadableLog:
        return None, "to hold metrics in a known format"
    return log, "" if log.format else "to hold metrics in a known format"


def _size(path: Path) -> int:
    """Bytes of a file; 0 of a folder, of nothing and of what cannot be looked at."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


def _shown(records: Iterator[Record], run: str, status: Status) -> Iterator[Record]:
    for record in records:
        status.show(f"collapse-lab {run}: step {record.step}")
        yield record
