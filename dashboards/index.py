"""The table of all runs under a root: quick at 10,000 of them, and only ever a cache.

A run's summary is computed once and kept until the size or time of one of its files changes; the
histories of the others are not opened. All of it lies in one cache file that may be deleted.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from collapse_lab.dashboards import index_cache
from collapse_lab.dashboards.attempts import counting
from collapse_lab.dashboards.fingerprint import fingerprint_of, written
from collapse_lab.dashboards.index_cache import Entry
from collapse_lab.dashboards.library import READ_SECONDS, Library
from collapse_lab.dashboards.open_columns import OpenColumns
from collapse_lab.dashboards.root import Root, UnknownRun, meta_of
from collapse_lab.dashboards.sealed_columns import SealedColumns
from collapse_lab.dashboards.summary import Summary, outline, summarise
from collapse_lab.inert import inert
from collapse_lab.records import Alarm
from collapse_lab.store import SEALED, RunReader

JUDGED_ROWS = 20_000
"""Longer runs are judged when somebody opens them and asks for it."""
MOST_SAID = 200
"""Characters of what is wrong with a run."""
SAVE_SECONDS = 20.0
"""The least time between two writes of the cache."""

Judgement = Callable[[Path], list[Alarm]]


@dataclass(frozen=True, slots=True)
class News:
    """An alarm that was raised while the app was looking."""

    run: str
    alarm: Alarm


@dataclass(slots=True)
class Index:
    """Summaries by name. `rows` answers at once; `upkeep.keep` has them up to date.

    `judge` finds the alarms of a finished run that nobody has judged; None leaves them unjudged.
    """

    root: Root
    library: Library
    judge: Judgement | None = None
    cache: Path | None = None
    news: list[News] = field(default_factory=list[News])
    _entries: dict[str, Entry] = field(default_factory=dict[str, Entry])
    _open: dict[str, OpenColumns] = field(default_factory=dict[str, OpenColumns])
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _scanned: threading.Event = field(default_factory=threading.Event)
    _changed: int = 0
    _saved: tuple[int, float] = (0, 0.0)

    @property
    def version(self) -> int:
        """Grows with every change that the table should show."""
        return self._changed

    def rows(self) -> list[Summary]:
        """All runs, the newest first; the first call waits for the folder to be listed."""
        if not self._scanned.is_set():
            self.scan()
        now = time.time()
        with self._lock:
            summaries = [entry.summary.at(now) for entry in self._entries.values()]
        return sorted(summaries, key=lambda row: row.last_time, reverse=True)

    def summary(self, name: str) -> Summary:
        """One run's row, made now if it has to be, of a long run that is not sealed from what can
        be read at once. Raises UnknownRun."""
        self.root.run(name)
        entry = self._entries.get(name)
        if entry is None or not entry.summary.ready:
            self._look(name)
            entry = self._complete(name, READ_SECONDS)
        return entry.summary.at(time.time())

    def alarms(self, name: str) -> list[Alarm]:
        """The run's own alarms, else those that the app found. Raises UnknownRun."""
        folder = self.root.run(name)
        try:
            own = RunReader(folder).alarms()
        except Exception:  # the run's row says what is wrong
            own = []
        entry = self._entries.get(name)
        return own or (entry.judged if entry and entry.judged else [])

    def pending(self) -> int:
        """How many runs have not been summarised yet."""
        with self._lock:
            return sum(not entry.summary.ready for entry in self._entries.values())

    def scan(self) -> None:
        """Looks for runs that are new, changed or gone; opens none of their histories."""
        with self._lock:
            if not self._scanned.is_set():
                self._entries = index_cache.load(self.cache) if self.cache else {}
            names = set(self.root.names())
            for name in self._entries.keys() - names:
                self._drop(name)
            for name in names:
                self._look(name)
            self._scanned.set()

    def refresh(self) -> None:
        """Brings summaries up to date whose runs have changed."""
        with self._lock:
            stale = [name for name, entry in self._entries.items() if not entry.summary.ready]
        for name in sorted(stale, key=lambda name: -self._entries[name].summary.changed):
            try:
                self._complete(name)
            except (UnknownRun, KeyError):
                continue

    def to_be_judged(self, name: str) -> bool:
        """Whether `judge_next` is going to judge a run."""
        entry = self._entries.get(name)
        if self.judge is None or entry is None or entry.failed or not entry.summary.ready:
            return False
        row = entry.summary
        return row.health == "unjudged" and not row.going and 0 < row.steps <= JUDGED_ROWS

    def judge_next(self) -> bool:
        """Judges one finished run that nobody has; False when there is none."""
        with self._lock:
            waiting = [
                entry.summary for name, entry in self._entries.items() if self.to_be_judged(name)
            ]
        if not waiting or self.judge is None:
            return False
        name = max(waiting, key=lambda row: row.changed).name
        alarms, failed = None, ""
        try:
            alarms = self.judge(self.root.run(name))
        except UnknownRun:
            return True
        except Exception as error:  # of this run, which must not keep the others waiting
            failed = _sentence("cannot be judged", error)
        with self._lock:
            if (entry := self._entries.get(name)) is not None:
                entry.judged, entry.failed = alarms, failed
                entry.summary = replace(entry.summary, ready=False)
        return True

    def look_at_live(self) -> None:
        """Notes which of the running ones have changed."""
        for name in list(self._open):
            self._look(name)

    def save(self, least_seconds: float = SAVE_SECONDS) -> None:
        """Writes the cache file when there is something new to keep."""
        version, when = self._saved
        if self.cache is None or version == self._changed:
            return
        if time.monotonic() - when < least_seconds:
            return
        with self._lock:
            runs = index_cache.kept(self._entries)
            self._saved = self._changed, time.monotonic()
        index_cache.write(self.cache, runs)

    def _look(self, name: str) -> None:
        """Notes whether a run has changed."""
        folder = self.root.folder / name
        try:
            fingerprint = fingerprint_of(folder)
            if fingerprint is None:
                self.root.run(name)
                fingerprint = fingerprint_of(folder, follow=True) or ()
        except (UnknownRun, OSError):
            self._drop(name)
            return
        entry = self._entries.get(name)
        if entry is not None and entry.fingerprint == fingerprint:
            return
        changed = written(fingerprint)
        outlined = Summary(name, changed=changed, last_time=changed)
        with contextlib.suppress(Exception):  # `_complete` says what is wrong with it
            outlined = outline(name, meta_of(folder), changed, time.time())
        with self._lock:
            if entry is None:
                self._entries[name] = Entry(fingerprint, outlined)
            else:
                entry.fingerprint, entry.failed = fingerprint, ""
                entry.judged = None if outlined.state != "running" else entry.judged
                # what is shown stays until the new row is ready
                entry.summary = replace(entry.summary, ready=False)
            self._changed += 1

    def _complete(self, name: str, seconds: float = math.inf) -> Entry:
        folder = self.root.run(name)
        entry = self._entries[name]
        written_at = written(entry.fingerprint)
        outlined = Summary(name, changed=written_at, last_time=written_at)
        alarms: list[Alarm] | None = None
        try:
            meta = meta_of(folder)
            outlined = outline(name, meta, written_at, time.time())
            alarms, judged_here = RunReader(folder).alarms(), False
            if not alarms and not meta.get("judged"):  # nobody looked for any
                alarms, judged_here = entry.judged, entry.judged is not None
            columns = self._columns(name, folder, seconds)
            whole = columns.whole  # before the summary: a page may read on meanwhile
            summary = summarise(outlined, counting(columns), alarms, judged_here)
            summary = replace(summary, mechanism=summary.mechanism or entry.failed, ready=whole)
        except Exception as error:  # one broken file must not hide the other runs
            wrong = _sentence("cannot be read", error)
            summary = replace(outlined, ready=True, mechanism=wrong)
        with self._lock:
            if outlined.state == "running":
                self.news += [News(name, alarm) for alarm in (alarms or [])[entry.told :]]
            entry.told = len(alarms or ())
            entry.summary = summary
            self._changed += 1
        return entry

    def _columns(self, name: str, folder: Path, seconds: float) -> OpenColumns | SealedColumns:
        """Not held by the library: ten thousand summaries must not push out what people look at.
        Of an open run the lines are parsed once for both."""
        if (folder / SEALED).exists():
            self._open.pop(name, None)
            return SealedColumns(folder / SEALED)
        columns = self._open[name] = self.library.opened(folder)
        columns.refresh(seconds)
        if meta_of(folder).get("state") != "running" and columns.whole:
            self._open.pop(name, None)
        return columns

    def _drop(self, name: str) -> None:
        self.library.forget(self.root.folder / name)
        with self._lock:
            self._open.pop(name, None)
            if self._entries.pop(name, None) is not None:
                self._changed += 1


def _sentence(what: str, error: Exception) -> str:
    return inert(f"{what}: {error}", MOST_SAID)
