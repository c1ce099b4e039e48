"""What crosses a boundary: the numbers of one training step, and the alarm that a detector raises.

Both have one JSON form, used in run folders, on the command line and in alerts. JSON has no
token for NaN or infinity, so a non-finite number is written as the string "nan", "inf" or
"-inf" and `float` reads it back: a non-finite value is evidence and is never dropped.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast

Severity = Literal["watch", "alarm", "critical"]
SEVERITIES: tuple[Severity, ...] = ("watch", "alarm", "critical")
"""The least first."""

EVENT = "event/"
"""Begins the name of a note that says what happened to the run at this record."""
RESTART = "event/restart"
"""Note on the first record after the step went back: the run was resumed from a checkpoint."""
NEW_RUN = "event/new_run"
"""Note on the first record of another run in the same log; its value is that run's name."""
CHECKPOINT = "event/checkpoint"
"""Note on the record of the step after which a checkpoint was saved; its text says where."""
INTERVENTION = "event/intervention"
"""Note on the record from which on somebody has changed the run by hand; its text says what."""


@dataclass(frozen=True, slots=True)
class Record:
    """The numbers of one training step.

    `values` keeps NaN and infinities. `histograms` hold counts over fixed, shared bin edges, so
    that they add up across ranks. `notes` says where a value came from when that matters: keyed
    by signal name ("null in the log: the writer cannot express NaN") or by an event name such as
    `RESTART`. `time` is in unix seconds, NaN when the source does not tell.
    """

    step: int
    time: float = math.nan
    values: Mapping[str, float] = field(default_factory=dict[str, float])
    histograms: Mapping[str, list[float]] = field(default_factory=dict[str, list[float]])
    notes: Mapping[str, str] = field(default_factory=dict[str, str])

    def to_json(self) -> str:
        """One line, no newline inside; empty fields are left out."""
        line: dict[str, Any] = {"step": self.step, "time": encode(self.time)}
        line["values"] = {name: encode(value) for name, value in self.values.items()}
        if self.histograms:
            line["histograms"] = {
                name: [encode(count) for count in counts]
                for name, counts in self.histograms.items()
            }
        if self.notes:
            line["notes"] = dict(self.notes)
        return json.dumps(line, allow_nan=False)

    @classmethod
    def from_json(cls, line: str) -> Record:
        """Raises ValueError for anything that `to_json` could not have written."""
        try:
            raw = json.loads(line)
            return cls(
                step=int(raw["step"]),
                time=float(raw.get("time", math.nan)),
                values={str(name): float(value) for name, value in raw["values"].items()},
                histograms={
                    str(name): [float(count) for count in counts]
                    for name, counts in raw.get("histograms", {}).items()
                },
                notes={str(name): str(text) for name, text in raw.get("notes", {}).items()},
            )
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"not a record: {line[:80]!r}") from error


@dataclass(frozen=True, slots=True)
class Evidence:
    """One signal's part in an alarm.

    `since` is the step its excursion began; `observed` and `expected` are in the signal's own
    unit, `low` and `high` bound what a healthy step would show. `score` is in the detector's own
    currency (CUSUM sum, log e-value). `bad_steps` of the `steps` since then lay beyond the band.
    """

    signal: str
    family: str
    since: int
    observed: float
    expected: float
    low: float
    high: float
    direction: Literal["up", "down"]
    score: float
    bad_steps: int
    steps: int


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A mechanism that an alarm points at (a key of `mechanisms.MECHANISMS`), and why."""

    mechanism: str
    because: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alarm:
    """A detector's verdict at one step, with what a person needs to act on it.

    `since` is the estimated onset and `since_interval` its bounds, in steps. `last_healthy_step`
    is the last step before that interval: the checkpoint to go back to. `not_monitored` names
    what the run does not log and so could not be judged. `suspicions` are what may have gone wrong,
    the likeliest first; none where that is unclear. `restart` is the step from which the run had
    last been resumed, None where it had not been.
    """

    step: int
    severity: Severity
    detector: str
    message: str
    since: int
    since_interval: tuple[int, int]
    evidence: tuple[Evidence, ...] = ()
    last_healthy_step: int | None = None
    not_monitored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    suspicions: tuple[Suspicion, ...] = ()
    restart: int | None = None

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the signals that moved, the strongest first."""
        return tuple(part.signal for part in self.evidence)

    @property
    def families(self) -> tuple[str, ...]:
        """Distinct evidence families, in the order of their strongest signal."""
        return tuple(dict.fromkeys(part.family for part in self.evidence))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: non-finite numbers as strings, tuples as lists."""
        plain = encode(asdict(self))
        return plain | {"signals": list(self.signals), "families": list(self.families)}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Alarm:
        """Inverse of `to_dict`; ValueError when a field is missing or of the wrong kind. Alarms of
        earlier versions name no `suspicions` and no `restart`."""
        try:
            evidence = tuple(Evidence(**_numbers(part)) for part in raw["evidence"])
            low, high = raw["since_interval"]
            return cls(
                step=raw["step"],
                severity=raw["severity"],
                detector=raw["detector"],
                message=raw["message"],
                since=raw["since"],
                since_interval=(low, high),
                evidence=evidence,
                last_healthy_step=raw["last_healthy_step"],
                not_monitored=tuple(raw["not_monitored"]),
                notes=tuple(raw["notes"]),
                suspicions=tuple(
                    Suspicion(one["mechanism"], tuple(one["because"]))
                    for one in raw.get("suspicions", ())
                ),
                restart=raw.get("restart"),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not an alarm: {error}") from error


def firm(alarms: Iterable[Alarm]) -> list[Alarm]:
    """Those that promise something: not the watch tier."""
    return [alarm for alarm in alarms if alarm.severity != "watch"]


def told_first(alarms: Sequence[Alarm]) -> Alarm | None:
    """The alarm that a person should hear of first: the first that promises something, else the
    first; None without any."""
    return next(iter((*firm(alarms), *alarms)), None)


def reaches(severity: Severity, least: Severity | None) -> bool:
    """Whether a severity is the least that is asked for, or worse; nothing reaches None.

    >>> reaches("critical", "alarm"), reaches("watch", "alarm"), reaches("critical", None)
    (True, False, False)
    """
    return least is not None and SEVERITIES.index(severity) >= SEVERITIES.index(least)


def runs_of(records: Sequence[Record]) -> list[tuple[str, Sequence[Record]]]:
    """The runs that one log holds, each with its name: "" where the log names none. Those that went
    on at once take turns in it."""
    runs: dict[str, list[Record]] = {}
    run = ""
    for record in records:
        run = record.notes.get(NEW_RUN, run)
        runs.setdefault(run, []).append(record)
    return [*runs.items()]


_NUMBERS = frozenset({"observed", "expected", "low", "high", "score"})


def _numbers(part: Mapping[str, Any]) -> dict[str, Any]:
    """Evidence's fields with its measured numbers read back from "nan", "inf" and "-inf"."""
    return {name: float(value) if name in _NUMBERS else value for name, value in part.items()}


def encode(value: Any) -> Any:
    """JSON-ready copy: non-finite floats become "nan", "inf" or "-inf", tuples become lists."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {name: encode(part) for name, part in cast(dict[str, Any], value).items()}
    if isinstance(value, (list, tuple)):
        return [encode(part) for part in cast(Sequence[Any], value)]
    return value
