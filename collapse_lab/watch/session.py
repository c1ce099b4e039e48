"""One watched run: every record is stored, then judged; an alarm is stored, told and acted on.

The same whether the records come from a command's output, its inbox or a growing log. A run that
is continued is judged from its first record on, so that the detectors stand where they stood.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from signal import Signals
from typing import Any, Protocol

from collapse_lab.actions import Signal, Stop, Touch
from collapse_lab.alerts import Dispatcher, Notice, block, headline
from collapse_lab.records import RESTART, Alarm, Record
from collapse_lab.store import STOP, RunReader, RunWriter
from collapse_lab.watch import Judge, detect
from collapse_lab.watch.plan import Plan

ALERT_SECONDS = 15.0
"""How long the end of a run waits for alerts that are still on their way."""


class Orders(Protocol):
    """What a session asks of the process that holds the terminal and the command."""

    def say(self, text: str) -> None:
        """Writes lines to standard error."""
        ...

    def signal(self, number: int) -> None:
        """Sends the command a signal."""
        ...

    def stop(self, grace: float, patient: bool) -> None:
        """Ends the command: SIGTERM, after `grace` seconds SIGKILL; `patient` gives it another
        `grace` seconds before that, in which to end by itself."""
        ...


LEAST_TRAINING_SECONDS = 60.0
"""What ends sooner was no training, and nobody misses its metrics."""
NOTHING_HEARD = (
    "no training metrics were recognised, so nothing was watched; docs/formats.md lists what is "
    "read, and `collapse-lab replay` on a saved log says what was tried"
)


@dataclass(slots=True)
class Session:
    """Owns the run folder. Raises FileExistsError when another process writes to it, ValueError
    for an alert target that cannot work.

    `past` are the records that were there. `cooperative` is set when the command reports through
    `collapse_lab.init`: it can then end by itself when asked to.
    """

    plan: Plan
    orders: Orders
    past: list[Record] = field(init=False)
    cooperative: bool = False
    _writer: RunWriter = field(init=False)
    _alerts: Dispatcher = field(init=False)
    _told: set[tuple[int, str, str]] = field(init=False)
    _planned_steps: int | None = field(init=False)
    _config: Any = field(init=False)
    _live: bool = False
    _heard: bool = False
    _began: float = field(default_factory=time.monotonic)
    _acted: bool = False
    _complaints: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        plan = self.plan
        targets = plan.targets()
        reader = RunReader(plan.folder)
        self._writer = RunWriter(plan.folder, {**plan.meta, "judged": True})
        self.past = reader.new()
        told = reader.alarms()
        self._told = {_key(alarm) for alarm in told}
        self._planned_steps = reader.meta.get("planned_steps")
        self._config = reader.meta.get("config")
        self._alerts = Dispatcher(
            targets,
            str(plan.folder),
            cooldown=plan.cooldown,
            most=plan.most_alerts,
            complain=self.complain,
        )
        self._alerts.recall(told)

    def run(self, live: Iterable[Record], leftover: Iterable[Record] = ()) -> None:
        """Takes records until there are no more; what fails in the detectors ends only them.

        `leftover` are those of an earlier process that were not stored while it ran."""
        records = self._stored(live, leftover)
        try:
            for record, alarms in detect(records, self._panel):
                if self._live:
                    for over in self._alerts.record(record):
                        self._say_over(over)
                    for alarm in alarms:
                        self._raise(alarm)
        except Exception as error:
            traceback.print_exc()
            self.complain(f"detection has failed and recording goes on without it: {error!r}")
            for _ in records:
                pass

    def learn(self, **facts: Any) -> None:
        """Adds to run.json what only the run itself could tell, such as its framework."""
        self._guard(lambda: self._writer.update_meta(**facts))
        self._planned_steps = facts.get("planned_steps") or self._planned_steps
        self._config = facts.get("config", self._config)

    def finish(self, state: str, exit_code: int | None) -> None:
        """Delivers what is on its way, then closes and seals the folder."""
        if not self._heard and time.monotonic() - self._began >= LEAST_TRAINING_SECONDS:
            self.complain(NOTHING_HEARD)
        self._alerts.end()
        if not self._alerts.close(ALERT_SECONDS):
            self.complain(f"alerts were still on their way after {ALERT_SECONDS:g} seconds")
        self._guard(lambda: self._writer.finish(state, exit_code))

    def complain(self, text: str) -> None:
        """One line about a failure of ours, once."""
        if text not in self._complaints:
            self._complaints.add(text)
            self.orders.say(f"collapse-lab: {text}")

    def _panel(self) -> Judge:
        return self.plan.make_panel(self._planned_steps, self._config)

    def _stored(self, live: Iterable[Record], leftover: Iterable[Record]) -> Iterator[Record]:
        last = self.past[-1] if self.past else None
        for record in self.past:
            # a watcher killed between the last record and its alarm has not told of it yet
            self._live = record is last
            yield record
        self.past.clear()
        self._told.clear()  # another attempt may break at the same step
        self._live = True
        for record in leftover:
            yield self._store(record)
            last = record
        for record in live:
            self._heard = True
            if last is not None and not self.plan.follow:
                record = _restarted(record, last.step)
            last = None
            yield self._store(record)

    def _store(self, record: Record) -> Record:
        self._guard(lambda: self._writer.append(record))
        return record

    def _raise(self, alarm: Alarm) -> None:
        if _key(alarm) in self._told:
            return
        self._guard(lambda: self._writer.alarm(alarm))
        self.orders.say(
            f"collapse-lab {headline(alarm)}"
            if alarm.severity == "watch"
            else block(alarm, str(self.plan.folder))
        )
        self._alerts.alarm(alarm)
        if self.plan.policy.meets(alarm) and not self._acted:
            self._acted = True
            self._act()

    def _say_over(self, over: Notice) -> None:
        if over.alarm.severity != "watch":
            self.orders.say(
                f"collapse-lab: recovered from the {headline(over.alarm)}; {over.remark}"
            )

    def _act(self) -> None:
        match self.plan.policy.action:
            case Stop(grace):
                self._guard((self.plan.folder / STOP).touch)
                self.orders.say("collapse-lab: stopping the command, as --on-alarm says")
                self.orders.stop(grace, patient=self.cooperative)
            case Signal(number):
                self.orders.say(f"collapse-lab: sending {Signals(number).name}, as --on-alarm says")
                self.orders.signal(number)
            case Touch(path):
                self.orders.say(f"collapse-lab: touching {path}, as --on-alarm says")
                self._guard(lambda: path.parent.mkdir(parents=True, exist_ok=True))
                self._guard(path.touch)
            case None:
                pass

    def _guard(self, write: Callable[[], object]) -> None:
        """A full disk or a folder that was deleted is no reason to overlook a collapse."""
        try:
            write()
        except OSError as error:
            self.complain(f"cannot write: {error}")


def _key(alarm: Alarm) -> tuple[int, str, str]:
    return alarm.step, alarm.detector, alarm.severity


def _restarted(record: Record, last_step: int) -> Record:
    if RESTART in record.notes:
        return record
    note = f"a new process goes on at step {record.step}, the last one had reached {last_step}"
    return replace(record, notes={**record.notes, RESTART: note})
