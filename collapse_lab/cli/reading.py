"""`collapse-lab replay` and `collapse-lab label`: finished logs and runs."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from collapse_lab.cli.calibrating import CALIBRATION, load_limits
from collapse_lab.records import (
    NEW_RUN,
    SEVERITIES,
    Alarm,
    Record,
    Severity,
    firm,
    reaches,
    runs_of,
)

if TYPE_CHECKING:
    from collapse_lab.alerts import Dispatcher
    from collapse_lab.readers.reader import Log

ALARMED, UNREADABLE = 3, 2
MOST_ALIKE, MOST_NAMES = 3, 10
"""Shown of a log's watches, of one detector's alarms about a run, of names that say nothing."""

PATHS = click.argument(
    "paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH..."
)


@click.command()
@PATHS
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a log, a line each.")
@click.option(
    "--fail-on",
    type=click.Choice(SEVERITIES),
    help="Exit with 3 when a log raises an alarm of this severity or worse.",
)
@click.option(
    "--planned-steps",
    type=click.IntRange(min=1),
    help="Training steps that the runs were planned for, when known and not stated by a run "
    "folder: detectors are then a little faster at the same rate of false alarms.",
)
@CALIBRATION
def replay(
    paths: tuple[Path, ...],
    as_json: bool,
    fail_on: Severity | None,
    planned_steps: int | None,
    calibration: Path | None,
) -> None:
    """Runs the detectors over finished logs and run folders, as if they were live.

    PATH is a log of any known format (the console output or the metrics file of a trainer, an
    event folder, an experiment tracker's store) or a run folder. What cannot be read is reported
    on standard error; the other paths are still processed.

    Exit code: 0, 2 when a path could not be read or, with --fail-on, when it holds nothing that is
    judged, 3 as --fail-on says.
    """
    from collapse_lab.watch import detect
    from collapse_lab.watch.afterwards import facts_of, panel_for

    limits = load_limits(calibration)
    code = 0
    for path, records, log in _logs(paths):
        if log is None:
            code = UNREADABLE
            continue
        replayed = Replayed(path, log)
        try:
            stated = _stated(path)
        except ValueError as error:
            click.echo(f"collapse-lab: {error}", err=True)
            code = UNREADABLE
            continue
        if planned_steps:
            stated = {**stated, "planned_steps": planned_steps}
        for run, part in runs_of(records):
            facts = facts_of(stated, log, run)
            for record, alarms in detect(part, partial(panel_for, facts, limits)):
                replayed.add(record, alarms)
        click.echo(json.dumps(replayed.to_dict()) if as_json else replayed.to_text())
        if fail_on and not replayed.signals():
            click.echo(f"collapse-lab: {path}: {replayed.not_judged()}", err=True)
            code = UNREADABLE
        if code == 0 and any(reaches(alarm.severity, fail_on) for _, alarm in replayed.alarms):
            code = ALARMED
    sys.exit(code)


@click.command()
@PATHS
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a run, a line each.")
def label(paths: tuple[Path, ...], as_json: bool) -> None:
    """Says after the fact whether a run collapsed, how, and when.

    The onset is the step where the fall began, the crossing the step where half of what had been
    gained was lost. A log that holds several runs gets a line for each.

    Exit code: 0, or 2 when a path could not be read.
    """
    from collapse_lab.labels import label_run

    code = 0
    for path, records, log in _logs(paths):
        if log is None:
            code = UNREADABLE
            continue
        for run, part in runs_of(records):
            found = label_run(part)
            named = {"run": run} if run else {}
            if as_json:
                facts = {"class": found.kind, "onset": found.onset, "cross": found.cross}
                click.echo(json.dumps({"path": os.fspath(path), **named, **facts}))
            else:
                when = "" if found.onset is None else f"onset {found.onset}, crossed {found.cross}"
                name = f"{path} [{run}]" if run else str(path)
                click.echo(f"{found.kind:<17} {when:<28} {name}")
    sys.exit(code)


def _told_to_nobody() -> Dispatcher:
    from collapse_lab.alerts import Dispatcher

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
        from collapse_lab.signals import known

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
        from collapse_lab.inert import inert

        names = sorted(map(inert, self.names))
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        return (
            "nothing was judged: no signal is known under these names: "
            f"{', '.join(names[:MOST_NAMES])}{more}"
        )

    def to_text(self) -> str:
        """A paragraph; of watches, and of what one detector repeats, only the first few."""
        from collapse_lab.alerts import block

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


def _logs(paths: Sequence[Path]) -> Iterator[tuple[Path, list[Record], Log | None]]:
    """Every path with its records; one that cannot be read is reported, its log is None."""
    from collapse_lab.readers.reader import read

    for path in paths:
        try:
            records, log = read(path)
        except (OSError, ValueError, ImportError) as error:
            click.echo(f"collapse-lab: {error}", err=True)
            yield path, [], None
        else:
            yield path, records, log


def _stated(path: Path) -> Mapping[str, Any]:
    """What a run folder says of its run, so that it is judged as it was live."""
    from collapse_lab.store import read_meta

    return read_meta(path) if path.is_dir() else {}
