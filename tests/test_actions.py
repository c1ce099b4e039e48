"""What `--on-alarm` understands, and when it acts."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from collapse_lab.actions import Policy, Signal, Stop, Touch, parse
from collapse_lab.records import Alarm, Severity


def test_the_four_actions_are_understood() -> None:
    assert parse("none", 30) is None
    assert parse("stop", 12.5) == Stop(12.5)
    assert parse("signal:USR1", 30) == Signal(signal.SIGUSR1)
    assert parse("signal:sigterm", 30) == Signal(signal.SIGTERM)
    assert parse("touch:out/SAVE:NOW", 30) == Touch(Path("out/SAVE:NOW"))


@pytest.mark.parametrize("text", ["", "kill", "stop:5", "signal", "signal:", "touch:", "none:x"])
def test_anything_else_is_refused_with_what_there_is(text: str) -> None:
    with pytest.raises(ValueError, match="none, stop, signal:NAME, touch:FILE"):
        parse(text, 30)


def test_a_signal_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'SAVE' is no signal"):
        parse("signal:SAVE", 30)


@pytest.mark.parametrize(
    ("least", "met"),
    [
        ("watch", [True, True, True]),
        ("alarm", [False, True, True]),
        ("critical", [False] * 2 + [True]),
    ],
)
def test_a_policy_acts_from_its_severity_on(least: Severity, met: list[bool]) -> None:
    policy = Policy(Stop(), least)
    severities: tuple[Severity, ...] = ("watch", "alarm", "critical")
    alarms = [Alarm(1, severity, "x", "", 1, (1, 1)) for severity in severities]
    assert [policy.meets(alarm) for alarm in alarms] == met


def test_without_an_action_nothing_is_met() -> None:
    assert not Policy(None, "watch").meets(Alarm(1, "critical", "x", "", 1, (1, 1)))
