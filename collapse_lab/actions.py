"""What `--on-alarm` does to the run, when a person has asked for it; by default nothing.

An action is a value: what it says is done by the relay, which owns the command, in the order
record, alert, act.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

from collapse_lab.records import Alarm, Severity, reaches


@dataclass(frozen=True, slots=True)
class Stop:
    """Ends the command: a STOP file for those that look, SIGTERM, after `grace` seconds SIGKILL."""

    grace: float = 30.0


@dataclass(frozen=True, slots=True)
class Signal:
    """Sends the command a signal, such as the one it saves a checkpoint on."""

    number: int


@dataclass(frozen=True, slots=True)
class Touch:
    """Creates a file that the training looks for, or renews its time."""

    path: Path


Action = Stop | Signal | Touch


@dataclass(frozen=True, slots=True)
class Policy:
    """An action and the least severity that sets it off; it is carried out once a run."""

    action: Action | None = None
    least: Severity = "alarm"

    def meets(self, alarm: Alarm) -> bool:
        """Whether this alarm sets it off."""
        return self.action is not None and reaches(alarm.severity, self.least)


NOTHING = Policy()


def parse(text: str, grace: float) -> Action | None:
    """`none`, `stop`, `signal:USR1`, `touch:FILE`; ValueError says what is wrong with another.

    >>> parse("signal:USR1", 30) == Signal(signal.SIGUSR1), parse("none", 30)
    (True, None)
    """
    kind, _, argument = text.partition(":")
    match kind, argument:
        case "none", "":
            return None
        case "stop", "":
            return Stop(grace)
        case "signal", name if name:
            return Signal(_number(name))
        case "touch", path if path:
            return Touch(Path(path))
        case _:
            raise ValueError(f"{text!r} is none of: none, stop, signal:NAME, touch:FILE")


def _number(name: str) -> int:
    try:
        return signal.Signals["SIG" + name.upper().removeprefix("SIG")].value
    except KeyError:
        raise ValueError(f"{name!r} is no signal of this system; use a name like USR1") from None
