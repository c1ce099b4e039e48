"""Rollouts as text, from the steps of a run that tell most."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collapse_lab.records import Alarm
from collapse_lab.tail import Tail


@dataclass(frozen=True, slots=True)
class Sample:
    """Rollouts of one step as they were recorded."""

    step: int
    texts: list[Any]


def samples_around(path: Path, alarm: Alarm | None) -> list[tuple[str, Sample]]:
    """The rollouts to show: before, at and after the alarm, or the first and last without one."""
    shown: dict[str, Sample] = {}
    if alarm is None:
        for sample in _read(path):
            shown.setdefault("first", sample)
            shown["last"] = sample
    else:
        healthy = alarm.since_interval[0]
        for sample in _read(path):
            if sample.step < healthy:
                shown["before"] = sample
            elif sample.step <= alarm.step:
                shown["at"] = sample
            else:
                shown.setdefault("after", sample)
    return list(shown.items())


def _read(path: Path) -> Iterator[Sample]:
    """What is in samples.jsonl, one step at a time; lines that hold no samples are passed over."""
    tail = Tail(path)
    while lines := tail.lines():
        for line in lines:
            try:
                raw = json.loads(line)
                yield Sample(int(raw["step"]), list(raw["samples"]))
            except (ValueError, TypeError, KeyError, RecursionError):
                continue
