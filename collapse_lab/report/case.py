"""What a report is about: one run, its alarms and what is known of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collapse_lab.labels import REWARDS, Label, label_run
from collapse_lab.readers.reader import read
from collapse_lab.records import RESTART, SEVERITIES, Alarm, Evidence, Record, runs_of, told_first
from collapse_lab.report.placing import before, line_of, others_of, record_of
from collapse_lab.report.samples import Sample, samples_around
from collapse_lab.store import ALARMS, SAMPLES, RunReader, read_meta
from collapse_lab.watch import detect
from collapse_lab.watch.afterwards import facts_of, panel_for

AROUND = 50
"""Records shown before and after the alarm."""
MOST_EARLIER = 500
"""Records shown before the alarm when the change began long before it."""

Raised = Sequence[tuple[int, Alarm]]
"""Alarms, each with the index of the record that raised it."""


@dataclass(frozen=True, slots=True)
class Case:
    """One run as a report tells it.

    `name` is that of the run folder or the log, `part` that of the run within a log that holds
    `parts` of them. `meta` is run.json, with the configuration that a log states where it has none.
    `judged` says that the alarms were found now, by a replay, rather than while
    the run went on. `at` is the index of the record that raised the one that the report is about.
    `line` are the indices of the attempt that raised it, and of what that went on from; of the
    last attempt where there is no alarm. `label` is that of the line, `ended` that of the last
    attempt where this is another one. `not_monitored` is what could not be judged. `samples` are
    (when, rollouts).
    """

    path: Path
    name: str
    part: str
    parts: int
    records: Sequence[Record]
    alarms: Sequence[Alarm]
    judged: bool
    at: int
    line: Sequence[int]
    not_monitored: Sequence[str]
    format: str
    framework: str
    meta: Mapping[str, Any]
    samples: Sequence[tuple[str, Sample]]
    label: Label
    ended: Label | None

    @property
    def alarm(self) -> Alarm | None:
        """The one the report is about: the first that promises something, else the first."""
        return told_first(self.alarms)

    @property
    def window(self) -> list[Record]:
        """The records of the line around the alarm, from before the change began; all of it
        without one."""
        line = self.line
        if (alarm := self.alarm) is None:
            return self.attempt
        at = line.index(self.at)
        low = alarm.since_interval[0]
        begin = at
        while begin > 0 and self.records[line[begin]].step > low and at - begin < MOST_EARLIER:
            begin -= 1
        shown = line[max(0, min(begin - 5, at - AROUND)) : at + AROUND + 1]
        return [self.records[index] for index in shown]

    @property
    def attempt(self) -> list[Record]:
        """The records of the line."""
        return [self.records[index] for index in self.line]

    @property
    def others(self) -> list[list[Record]]:
        """What other attempts have logged, one list an attempt."""
        if len(self.line) == len(self.records):
            return []
        left = others_of(self.records, self.line)
        return [[self.records[index] for index in one] for one in left]

    @property
    def order(self) -> list[Evidence]:
        """Evidence of the alarm, and of the notices before it that are about the same change: one
        a signal, the first to leave its band first."""
        return first_to_move(self.alarm, self.earlier) if self.alarm else []

    @property
    def large(self) -> list[str]:
        """What is shown large: the reward, then what left its band, the first one first."""
        reward = [self.reward] if self.reward else []
        return list(dict.fromkeys((*reward, *(part.signal for part in self.order))))

    @property
    def earlier(self) -> list[Alarm]:
        """Notices before the alarm that the report is about, in the same attempt or in what that
        went on from."""
        return before(self.alarm, self.alarms) if self.alarm else []

    @property
    def reward(self) -> str | None:
        """The reward that the run is judged by, None when it logs none."""
        return next((name for name in REWARDS if any(name in r.values for r in self.records)), None)

    @property
    def restarts(self) -> list[int]:
        """Steps at which the run was resumed."""
        return [record.step for record in self.records if RESTART in record.notes]


def open_case(path: Path | str, alarms: Sequence[Alarm] | None = None) -> Case:
    """Reads a run folder or a log that `replay` reads, and judges it where nothing has yet.

    `alarms` are those of somebody who has judged it already; they do not say which run they are of,
    so that a log that holds several is judged anew: the report is about the one with the worst
    alarm, or else the last. Raises OSError, ValueError and ImportError for what cannot be read,
    ValueError without any record.
    """
    path = Path(path)
    records, log = read(path)
    meta = read_meta(path) if path.is_dir() else {}
    told = RunReader(path).alarms() if (path / ALARMS).is_file() else []
    judged = not told
    unseen: Sequence[str] = ()
    parts = runs_of(records)
    metas = {run: facts_of(meta, log, run) for run, _ in parts}
    run, part = parts[-1]
    at = len(part) - 1
    if not told and (alarms is None or len(parts) > 1):
        run, part, raised, unseen = _worst(parts, metas)
        told = [alarm for _, alarm in raised]
        alarm = told_first(told)
        at = next((index for index, one in raised if one is alarm), len(part) - 1)
    elif alarm := told_first(told or alarms or ()):
        written = (path / ALARMS).stat().st_mtime if told else math.inf
        at = record_of(alarm, part, written)
    line, last = line_of(part, at), line_of(part, len(part) - 1)
    return Case(
        path=path,
        name=path.resolve().name,
        part=run,
        parts=len(parts),
        records=part,
        alarms=told or alarms or (),
        judged=judged,
        at=at,
        line=line,
        not_monitored=alarm.not_monitored if alarm else unseen,
        format=str(log.format),
        framework=str(meta.get("framework") or log.framework),
        meta=metas[run],
        samples=samples_around(path / SAMPLES, alarm) if path.is_dir() else [],
        label=label_run([part[index] for index in line]),
        ended=label_run([part[index] for index in last]) if last != line else None,
    )


def first_to_move(about: Alarm, earlier: Sequence[Alarm]) -> list[Evidence]:
    """Evidence of an alarm, and of the `earlier` notices that are about the same change: one a
    signal, the first to leave its band first."""
    parts = {
        part.signal: part
        for alarm in (*earlier, about)
        for part in alarm.evidence
        if alarm is about or part.since >= about.since_interval[0]
    }
    return sorted(parts.values(), key=lambda part: part.since)


def _worst(
    parts: Sequence[tuple[str, Sequence[Record]]], metas: Mapping[str, Mapping[str, Any]]
) -> tuple[str, Sequence[Record], Raised, tuple[str, ...]]:
    """The run with the worst alarm, or else the last: its name, records, alarms and what could not
    be judged."""
    judged = [(run, part, *_judge(part, metas[run])) for run, part in reversed(parts)]
    worst = [max((SEVERITIES.index(a.severity) for _, a in one[2]), default=-1) for one in judged]
    return judged[worst.index(max(worst))]


def _judge(records: Sequence[Record], meta: Mapping[str, Any]) -> tuple[Raised, tuple[str, ...]]:
    panel = panel_for(meta)
    raised = [
        (index, alarm)
        for index, (_, alarms) in enumerate(detect(records, lambda: panel))
        for alarm in alarms
    ]
    coverage = panel.coverage()
    unseen = [f"{family} (not logged)" for family in coverage.missing]
    return raised, (*unseen, *(f"{name} (constant)" for name in coverage.constant))
