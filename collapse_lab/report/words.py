"""A case in plain words: what HTML and Markdown both say. Nothing here is escaped for either."""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, cast

from collapse_lab.inert import inert
from collapse_lab.mechanisms import Remedy, mechanism
from collapse_lab.records import Alarm, Evidence
from collapse_lab.report.case import AROUND, Case
from collapse_lab.report.hindsight import counted, hindsight
from collapse_lab.report.redact import command, masked, settings

SIGNATURE = f"Written by collapse-lab {version('collapse-lab')}."
RAISED = {
    "watch": "gave a notice",
    "alarm": "raised an alarm",
    "critical": "raised a critical alarm",
}
TIMES = ("started", "finished")
SENTENCE, SETTING = 600, 300
MOST_SETTINGS = 400
MOST_TEXTS, MOST_BLOCKS, MOST_CHARACTERS = 2, 8, 900
HEADING = 60


def title(case: Case) -> str:
    """The run's name as a line; with that of its part when the log holds several runs."""
    return inert(f"{case.name} [{case.part}]" if case.part else case.name)


def verdict(case: Case) -> str:
    """The report in a few words."""
    if (alarm := case.alarm) is None:
        return "No alarm"
    return f"{alarm.severity.capitalize()} at step {alarm.step}"


def story(case: Case) -> list[str]:
    """What happened, as the sentences of one paragraph."""
    return [inert(sentence, SENTENCE) for sentence in (*_alarm(case), *hindsight(case))]


def remarks(case: Case) -> list[str]:
    """What a reader should know of how this was found, a sentence each."""
    said: list[str] = []
    if case.not_monitored:
        said.append(f"Not monitored: {', '.join(case.not_monitored)}.")
    if case.restarts:
        said.append(f"The run was resumed at step {', '.join(map(str, case.restarts[:5]))}.")
    if case.others:
        which = "that raised the alarm" if case.alarm else "that came last"
        said.append(f"The curves are those of the attempt {which}.")
    if case.parts > 1:
        which = "one with the worst alarm" if case.judged and case.alarms else "last one"
        said.append(f"The log holds {case.parts} runs; this is the {which}.")
    if case.judged:
        said.append(
            "Judged by a replay of the whole log, which sees at each step only what came before."
        )
    return [inert(sentence, SENTENCE) for sentence in said]


def steps(case: Case) -> str:
    """How many steps there are, and which."""
    numbers = {record.step for record in case.records}
    return f"{len(numbers)} ({min(numbers)} to {max(numbers)})"


def _alarm(case: Case) -> Iterator[str]:
    if (alarm := case.alarm) is None:
        yield "No detector raised anything."
        return
    yield f"At step {alarm.step} the detector {alarm.detector} {RAISED[alarm.severity]}."
    yield alarm.message[:1].upper() + ended(alarm.message[1:])
    low, high = alarm.since_interval
    between = "" if low == high else f" (between {low} and {high})"
    told = f"{counted(alarm.step - alarm.since)} before" if alarm.step > alarm.since else "where"
    yield f"The change began at step {alarm.since}{between}, {told} it was told."
    if alarm.last_healthy_step is None:
        yield "No step before that looked healthy: there is no checkpoint to go back to."
    else:
        yield (
            f"Step {alarm.last_healthy_step} was the last that still looked healthy: go back to a "
            "checkpoint no later than that."
        )
    yield from (note[:1].upper() + ended(note[1:]) for note in alarm.notes)


def ended(text: str) -> str:
    """As a sentence.

    >>> ended("it fell"), ended("is it measured?")
    ('it fell.', 'is it measured?')
    """
    return text if text.endswith(("?", ".")) else f"{text}."


def suspicions(case: Case) -> list[tuple[str, str, tuple[Remedy, ...]]]:
    """What may have gone wrong, the likeliest first: its name, what it is and why it is named, and
    what to try."""
    named: list[tuple[str, str, tuple[Remedy, ...]]] = []
    for one in case.alarm.suspicions if case.alarm else ():
        known = mechanism(one.mechanism)
        seen = f"Seen here: {'; '.join(one.because)}." if one.because else ""
        text = " ".join(filter(None, (known.meaning, seen)))
        named.append((inert(known.name), inert(text, SENTENCE), known.remedies))
    return named


def number(value: float) -> str:
    return f"{value:.4g}"


def band(part: Evidence) -> str:
    """What a healthy step would have shown."""
    if math.isfinite(part.low) and math.isfinite(part.high):
        return f"{number(part.low)} to {number(part.high)}"
    if math.isfinite(part.low):
        return f"at least {number(part.low)}"
    return f"at most {number(part.high)}" if math.isfinite(part.high) else "finite"


def evidence(parts: Iterable[Evidence]) -> list[tuple[str, ...]]:
    """Rows under EVIDENCE."""
    return [
        (
            inert(part.signal),
            number(part.observed),
            band(part),
            part.direction if math.isfinite(part.observed) else "",
            str(part.since),
            f"{part.bad_steps} of {part.steps}",
        )
        for part in parts
    ]


EVIDENCE = ("signal", "observed", "expected", "direction", "since step", "bad records")


def alarms(found: Sequence[Alarm], most: int) -> list[tuple[str, ...]]:
    """Rows under ALARMS; of many only the first."""
    return [
        (
            str(one.step),
            one.severity,
            one.detector,
            str(one.since),
            inert(f"{_attempt(one)}{one.message}", SENTENCE),
        )
        for one in found[:most]
    ]


def _attempt(alarm: Alarm) -> str:
    return "" if alarm.restart is None else f"after the restart at step {alarm.restart}: "


ALARMS = ("step", "severity", "detector", "since step", "message")


def configuration(case: Case) -> list[tuple[str, str]]:
    """The settings as they were given, secrets masked."""
    pairs = list(settings(case.meta.get("config") or {}))
    return [(inert(name), inert(value, SETTING)) for name, value in pairs if name][:MOST_SETTINGS]


NO_ENVIRONMENT = ("command", "config", "framework", "process_start")
"""Fields of run.json that are shown in another place, or tell a person nothing."""


def environment(case: Case) -> list[tuple[str, str]]:
    """Where the run and its records come from."""
    meta = case.meta
    own = [("log", masked(os.fspath(case.path))), ("format", case.format)]
    own += [("framework", case.framework)]
    if words := meta.get("command"):
        own.append(("command", command(cast("Sequence[str] | str", words))))
    for name, value in meta.items():
        if name in TIMES and isinstance(value, int | float):
            own.append((name, f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S} UTC"))
        elif name not in NO_ENVIRONMENT and value is not None:
            own += settings(value, name)
    return [(inert(name), inert(value, SETTING)) for name, value in own][:MOST_SETTINGS]


def reproduce(case: Case) -> list[str]:
    """The commands that show the same again."""
    path = shlex.quote(inert(os.fspath(case.path), 500))
    return [f"collapse-lab replay {path}", f"collapse-lab report {path}"]


def curves(case: Case) -> str:
    """What the close-up shows."""
    if case.alarm is None:
        return "The last attempt at the run." if case.others else "The whole run."
    return f"{AROUND} records before and after the alarm, and from where the change began."


def texts(
    sample: Any, most_characters: int = MOST_CHARACTERS, most_blocks: int = MOST_BLOCKS
) -> tuple[str, list[tuple[str, str]]]:
    """One rollout as (its short facts on a line, [(what, text)]), cut and masked."""
    short: list[str] = []
    long: list[tuple[str, str]] = []
    for name, text in _leaves(sample, ""):
        if name and "." not in name and len(text) <= HEADING and "\n" not in text:
            short.append(f"{inert(name, 40)} {inert(text)}")
        else:
            long.append((inert(name, 40), inert(text, most_characters, lines=True)))
    if (more := len(long) - most_blocks) > 0:
        half = most_blocks // 2
        long[half:-half] = [("", f"… {more} texts left out …")]
    return " · ".join(short), long


def _leaves(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        items = cast(Mapping[Any, Any], value).items()
    elif isinstance(value, list):
        items = enumerate(cast(list[Any], value), 1)
    else:
        yield name, masked(str(value))
        return
    for key, part in items:
        yield from _leaves(part, f"{name}.{key}" if name else str(key))
