"""What `replay` tells of one log: a paragraph for a person, or JSON for a program."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collapse_lab.alerts import Dispatcher, block
from collapse_lab.inert import inert
from collapse_lab.readers.reader import Log
from collapse_lab.records import NEW_RUN, Alarm, Record, firm
from collapse_lab.signals import known

MOST_ALIKE, MOST_NAMES = 3, 10
"""Shown of a log's watches, of one detector's alarms about a run, of names that say nothing."""


def _told_to_nobody() -> Dispatcher:
    return Dispatcher([], "", cooldown=0)


@dataclass(slots=True)
class Replayed:
    """What a replay has seen of one log; alarms with the name of their run, "" for the only one."""

    path: Path
    log: Log
    alarms: list[tuple[str, Alarm]] = field(default_factory=list[tuple[str, Alarm]])
    over: list[tuple[Alarm, int, str]] = field(default_factory=list[tuple[Alarm, int, str]])
    """Alarms whose signals came back, by which step, and what came back."""
    steps: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    names: set[str] = field(default_factory=set[str])
    _run: str = ""
    _alerts: Dispatcher = field(default_factory=_told_to_nobody)

    def add(self, record: Record, alarms: list[Alarm]) -> None:
        """One step of the replay."""
        self._run = record.notes.get(NEW_RUN, self._run)
        self.steps.add((self._run, record.step))
        self.names |= record.values.keys()
        self.over += [(one.alarm, record.step, one.remark) for one in self._alerts.record(record)]
        for alarm in alarms:
            self._alerts.alarm(alarm)
        self.alarms += [(self._run, alarm) for alarm in alarms]

    def signals(self) -> list[str]:
        """Names of the vocabulary that the log holds."""
        return sorted(filter(known, self.names))

    def to_dict(self) -> dict[str, Any]:
        """The JSON of house.md."""
        return {
            "path": os.fspath(self.path),
            "format": self.log.format,
            "framework": self.log.framework,
            "steps": len(self.steps),
            "signals": self.signals(),
            "unmapped": self.log.unmapped,
            "alarms": [
                alarm.to_dict()
                | {"over_at": next((step for step, _ in self._over(alarm)), None)}
                | ({"run": run} if run else {})
                for run, alarm in self.alarms
            ],
        }

    def _over(self, alarm: Alarm) -> list[tuple[int, str]]:
        return [(step, said) for one, step, said in self.over if one is alarm]

    def not_judged(self) -> str:
        """What to say of a log without a known signal."""
        names = sorted(map(inert, self.names))
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        return (
            "nothing was judged: no signal is known under these names: "
            f"{', '.join(names[:MOST_NAMES])}{more}"
        )

    def to_text(self) -> str:
        """A paragraph; of watches, and of what one detector repeats, only the first few."""
        numbers = [step for _, step in self.steps]
        span = f"{len(numbers)} steps ({min(numbers)}-{max(numbers)})"
        kind, framework = str(self.log.format), self.log.framework
        if framework not in kind:
            kind += f" of {framework}"
        lines = [f"{self.path}: {kind}, {span}, {len(self.signals())} known signals"]
        alike: Counter[tuple[str, ...]] = Counter()
        for run, alarm in self.alarms:
            alike[group := _group(run, alarm)] += 1
            if alike[group] <= MOST_ALIKE:
                lines.append(f"  {_line(run, alarm)}")
                lines += [f"{'':<12}over at step {at}: {said}" for at, said in self._over(alarm)]
        for (severity, *whose), count in alike.items():
            if count > MOST_ALIKE:
                told = " ".join([*whose, f"and {count - MOST_ALIKE} more (--json has all)"])
                lines.append(f"  {severity:<8}  {told}")
        for first in firm(alarm for _, alarm in self.alarms)[:1]:
            lines += ["", *(f"  {line}" for line in block(first, str(self.path)).split("\n"))]
        if not self.alarms:
            lines.append(f"  {'no alarm' if self.signals() else self.not_judged()}")
        return "\n".join(lines)


def _group(run: str, alarm: Alarm) -> tuple[str, ...]:
    """What an alarm is shown among: watches together, else those of a detector about a run."""
    if alarm.severity == "watch":
        return (alarm.severity,)
    return (alarm.severity, f"{alarm.detector} [{run}]" if run else alarm.detector)


def _line(run: str, alarm: Alarm) -> str:
    where = f" [{run}]" if run else ""
    return f"{alarm.severity:<8}  step {alarm.step:<6} {alarm.detector}{where}: {alarm.message}"
