"""Behind `run.log`: rows of numbers in, records on disk and alarms out, all on its own thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collapse_lab.integrations.background import Background
from collapse_lab.readers.base import Row
from collapse_lab.readers.reader import Assembler
from collapse_lab.records import RESTART, Alarm, Record, Severity, reaches
from collapse_lab.store import Inbox, RunWriter

if TYPE_CHECKING:
    from collapse_lab.detectors.panel import Panel

logger = logging.getLogger("collapse_lab")

SETTLE_SECONDS = 1.0
"""A step is complete when the next one begins, or when nothing was added to it for this long:
an alarm should not wait for the next step, which may be ten minutes away."""


@dataclass(frozen=True, slots=True)
class Judging:
    """What the detectors are told, and what follows from an alarm."""

    planned_steps: int | None = None
    config: Mapping[str, Any] | None = None
    on_alarm: Callable[[Alarm], object] | None = None
    stop_on: Severity | None = None

    @property
    def acts(self) -> bool:
        """Whether anything follows in this process."""
        return self.on_alarm is not None or self.stop_on is not None


class Recorder:
    """Owns the sink (a run folder, or the inbox of the `watch` around us) and the detectors.

    `stop` turns true at the first alarm of severity `stop_on` or worse. Unless it `judges` the
    records are only written. Several rows of one step become one record, as `Assembler` says.
    `history` are the records of a run that is being continued: the detectors take up where they
    stood.
    """

    def __init__(
        self,
        sink: RunWriter | Inbox,
        framework: str | None,
        judging: Judging,
        *,
        judges: bool = True,
        history: Sequence[Record] = (),
    ) -> None:
        self.alarms: list[Alarm] = []
        self.stop = False
        self.judges = judges
        self._sink = sink
        self._judging = judging
        self._panel: Panel | None = None
        last_step = history[-1].step if history else -1
        self._assembler = Assembler(framework, merges=True, last_step=last_step)
        self._history = list(history)
        self._thread: Background[Row | None] = Background(
            "collapse-lab recorder", self._handle, self._complete_step, SETTLE_SECONDS
        )
        # A callable of the user's may hang; the records must not wait for it.
        self._notifier: Background[Alarm] | None = None
        if judging.on_alarm:
            self._notifier = Background("collapse-lab on_alarm", judging.on_alarm)

    def put(self, row: Row) -> None:
        """Hands a row over and returns at once."""
        self._thread.put(row)

    def flush(self, timeout: float) -> bool:
        """Completes the open step: its record is written and judged when this returns True."""
        self._thread.put(None)
        return self._thread.drain(timeout)

    def close(self, state: str, timeout: float) -> bool:
        """Writes what is left and closes the sink; False when that took too long."""
        if not (self.flush(timeout) and self._thread.close(timeout)):
            return False
        if self._notifier:
            self._notifier.close(timeout)
        if isinstance(self._sink, Inbox):
            self._sink.close()
        else:
            self._sink.finish(state)
        return True

    def _handle(self, row: Row | None) -> None:
        if row is None:
            self._complete_step()
            return
        for record in self._assembler.add(row):
            self._deliver(record)

    def _complete_step(self) -> None:
        for record in self._assembler.flush():
            self._deliver(record)

    def _deliver(self, record: Record) -> None:
        record = self._continuing(record)
        try:
            self._sink.append(record)
        finally:  # a full disk is no reason to overlook a collapse
            if self.judges:
                self._judge(record)

    def _continuing(self, record: Record) -> Record:
        """The first record after a history says whether the step went back."""
        if not self._history:
            return record
        last = self._history[-1].step
        if self.judges:
            for past in self._history:
                self._the_panel().update(past)
        self._history.clear()
        if record.step > last:
            return record
        note = f"step went back from {last} to {record.step}"
        return replace(record, notes={**record.notes, RESTART: note})

    def _judge(self, record: Record) -> None:
        for alarm in self._the_panel().update(record):
            self.alarms.append(alarm)
            self.stop |= reaches(alarm.severity, self._judging.stop_on)
            if self._notifier:
                self._notifier.put(alarm)
            if isinstance(self._sink, RunWriter):
                _tell(alarm, self._sink.folder)
                self._sink.alarm(alarm)

    def _the_panel(self) -> Panel:
        """Made on this thread: its modules and the prior take a moment to load."""
        from collapse_lab.detectors.panel import Panel

        if self._panel is None:
            self._panel = Panel(self._judging.planned_steps, config=self._judging.config)
        return self._panel


def _tell(alarm: Alarm, folder: Path) -> None:
    """Says on the log what `watch` says on the terminal."""
    from collapse_lab.alerts import block, headline

    text = block(alarm, str(folder))
    logger.warning(f"collapse-lab {headline(alarm)}" if alarm.severity == "watch" else text)
