"""Rollouts as text, from the steps of a run that tell most.

The file may be larger than memory: of its lines only the begin is looked at, where
`RunWriter.sample` writes the step, and only the lines that are shown are parsed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from collapse_lab.records import Alarm

_STEP = re.compile(rb'\{"step": ?(\d{1,18}),')


@dataclass(frozen=True, slots=True)
class Sample:
    """Rollouts of one step as they were recorded."""

    step: int
    texts: list[Any]


def samples_around(path: Path, alarm: Alarm | None) -> list[tuple[str, Sample]]:
    """The rollouts to show: before, at and after the alarm, or the first and last without one."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return []
    with file:
        lines = list(_lines(file))
        if alarm is None:
            wanted = {"first": lines, "last": lines[::-1]}
        else:
            healthy, end = alarm.since_interval[0], alarm.step
            wanted = {
                "before": [line for line in lines if line[0] < healthy][::-1],
                "at": [line for line in lines if healthy <= line[0] <= end][::-1],
                "after": [line for line in lines if line[0] > end],
            }
        found = {when: _parsed(file, offers) for when, offers in wanted.items()}
    return [(when, sample) for when, sample in found.items() if sample is not None]


def _lines(file: BinaryIO) -> Iterator[tuple[int, int]]:
    """(step, offset) of every complete line."""
    offset = 0
    for line in file:
        found = _STEP.match(line)
        if found and line.endswith(b"\n"):
            yield int(found[1]), offset
        offset += len(line)


def _parsed(file: BinaryIO, lines: Iterable[tuple[int, int]]) -> Sample | None:
    """The first of these lines that holds samples."""
    for step, offset in lines:
        file.seek(offset)
        text = file.readline().decode("utf-8", "replace")
        try:
            return Sample(step, list(json.loads(text)["samples"]))
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
    return None
