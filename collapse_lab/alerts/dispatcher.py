"""Alarms -> notices: what is worth sending to whom, and sending it without holding anybody up.

Each target has a thread of its own. A notice that repeats what was just said is held back, a run
sends a bounded number, and an alert is over when its signals have come back or the run ends.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from collapse_lab.alerts.recovery import Recovery
from collapse_lab.alerts.sinks import Apprise, Hook, Notice, Refused, Sink, Webhook
from collapse_lab.records import NEW_RUN, RESTART, SEVERITIES, Alarm, Record, Severity, reaches

ATTEMPTS, FIRST_PAUSE = 8, 1.0
"""Tries a notice, and seconds before the second; each further pause is twice the one before: two
minutes, in which a server has been started again."""


@dataclass(frozen=True, slots=True)
class Target:
    """A sink and the least severity that it is told of."""

    sink: Sink
    least: Severity = "alarm"


def targets(
    alerts: Sequence[str], hooks: Sequence[str], webhooks: Sequence[str], least: Severity
) -> list[Target]:
    """Targets as the command line names them: `[SEVERITY=]URL-or-command`, else from `least` on.

    Raises ValueError for one that can never work.
    """
    kinds = ((Apprise, alerts), (Hook, hooks), (Webhook, webhooks))
    return [
        Target(kind(specification), severity)
        for kind, given in kinds
        for severity, specification in (_with_severity(text, least) for text in given)
    ]


def _with_severity(text: str, least: Severity) -> tuple[Severity, str]:
    """
    >>> _with_severity("critical=./page.sh", "alarm"), _with_severity("json://host", "alarm")
    (('critical', './page.sh'), ('alarm', 'json://host'))
    """
    word, equals, specification = text.partition("=")
    close = get_close_matches(word.lower(), SEVERITIES, n=1, cutoff=0.75) if equals else []
    meant: Severity | None = next((s for s in SEVERITIES if [s] == close), None)
    if meant is None:
        return least, text
    if word != meant:  # to a shell it would be an assignment, and nobody would be told
        raise ValueError(f"{text!r}: write {meant}={specification}")
    return meant, specification


@dataclass(slots=True)
class _Firing:
    """An alert that has not been resolved; `sent` is when it was last told, on the clock."""

    notice: Notice
    sent: float
    recovery: Recovery


class Dispatcher:
    """Of one run, whose folder is `run`.

    A detector that repeats itself within `cooldown` seconds is not told again unless it has
    become more severe; a target gets at most `most` alerts. `complain` gets one line about a
    target that failed for good. `clock` gives unix seconds.
    """

    def __init__(
        self,
        targets: Iterable[Target],
        run: str,
        *,
        cooldown: float = 600.0,
        most: int = 50,
        complain: Callable[[str], None] = lambda line: None,
        clock: Callable[[], float] = time.time,
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        self._run = run
        self._cooldown = cooldown
        self._clock = clock
        self._workers = [_Worker(target, most, complain, first_pause) for target in targets]
        self._firing: dict[str, _Firing] = {}

    def recall(self, alarms: Iterable[Alarm]) -> None:
        """Counts what was sent before a restart; when that was, and what is over, is not known."""
        for alarm in alarms:
            for worker in self._workers:
                worker.recall(self._notice(alarm))

    def alarm(self, alarm: Alarm) -> None:
        """Sends an alarm to the targets that want it, unless it is a repetition."""
        now, known = self._clock(), self._firing.get(alarm.detector)
        if known and not _worse(alarm, known.notice.alarm) and now - known.sent < self._cooldown:
            return
        notice = self._notice(alarm)
        if known:
            notice = replace(notice, started=known.notice.started)
        self._firing[alarm.detector] = _Firing(notice, now, Recovery(alarm))
        self._send(notice)

    def record(self, record: Record) -> list[Notice]:
        """Ends the alerts whose signals have come back, which are returned, and, when the run was
        restarted from a checkpoint, all."""
        if RESTART in record.notes or NEW_RUN in record.notes:
            self.end()
        recovered: list[Notice] = []
        for detector, firing in list(self._firing.items()):
            if said := firing.recovery.update(record):
                del self._firing[detector]
                over = {"status": "recovered", "ended": self._clock(), "remark": said}
                recovered.append(replace(firing.notice, **over))
                self._send(recovered[-1])
        return recovered

    def end(self) -> None:
        """Ends everything that still fires: the run has ended or begins anew."""
        for firing in self._firing.values():
            self._send(replace(firing.notice, status="ended", ended=self._clock()))
        self._firing.clear()

    def close(self, seconds: float) -> bool:
        """Waits for what is under way; False when that took longer."""
        end = time.monotonic() + seconds
        for worker in self._workers:
            worker.close()
        return all(worker.join(end - time.monotonic()) for worker in self._workers)

    def _notice(self, alarm: Alarm) -> Notice:
        return Notice(alarm, self._run, started=self._clock())

    def _send(self, notice: Notice) -> None:
        for worker in self._workers:
            worker.put(notice)


class _Worker:
    """Sends to one target, in order, on a thread of its own."""

    def __init__(
        self, target: Target, most: int, complain: Callable[[str], None], first_pause: float
    ) -> None:
        self._target, self._most = target, most
        self._complain, self._first_pause = complain, first_pause
        self._sent = 0
        self._firing: set[str] = set()  # fingerprints of the alerts whose end it has yet to hear
        self._queue: queue.SimpleQueue[Notice | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name=target.sink.name, daemon=True)
        self._thread.start()

    def recall(self, notice: Notice) -> None:
        """Counts a notice that was sent before a restart."""
        self._sent += self._wants(notice)

    def put(self, notice: Notice) -> None:
        """Queues an alarm that this target wants and has not had too many of, or the end of one
        that it was told of."""
        if notice.status != "firing":
            if notice.fingerprint not in self._firing:
                return
            self._firing.remove(notice.fingerprint)
        elif not self._wants(notice) or self._sent >= self._most:
            return
        else:
            self._firing.add(notice.fingerprint)
            self._sent += 1
            if self._sent == self._most:
                remark = f"This is alert {self._most} of this run and the last one sent."
                notice = replace(notice, remark=remark)
        if notice.status in self._target.sink.tells_of:
            self._queue.put(notice)

    def close(self) -> None:
        """Takes no more; what is queued is still sent, with the shortest pause between tries."""
        self._closing.set()
        self._queue.put(None)

    def join(self, seconds: float) -> bool:
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    def _wants(self, notice: Notice) -> bool:
        return reaches(notice.alarm.severity, self._target.least)

    def _work(self) -> None:
        while (notice := self._queue.get()) is not None:
            self._deliver(notice)

    def _deliver(self, notice: Notice) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._target.sink.send(notice)
                return
            except Exception as error:
                last = attempt == ATTEMPTS or isinstance(error, Refused)
                if last:
                    self._complain(
                        f"{self._target.sink.name} was not told of the {notice.alarm.severity} at "
                        f"step {notice.alarm.step}: {error}"
                    )
                    return
            if self._closing.wait(self._first_pause * 2 ** (attempt - 1)):
                time.sleep(self._first_pause)  # there is little time, but an alarm ends many a run


def _worse(alarm: Alarm, than: Alarm) -> bool:
    return not reaches(than.severity, alarm.severity)
