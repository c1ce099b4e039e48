"""Limits that a person sets: they change what was set, and promise nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from collapse_lab.calibration.saved import BY_HAND, Calibration, load
from collapse_lab.detectors.base import Finding
from collapse_lab.detectors.edetector import EDetector
from collapse_lab.detectors.limits import Limits
from collapse_lab.detectors.panel import Panel
from collapse_lab.records import Alarm, Record

FOUND = Finding("alarm", "something fell", 30, (28, 32))


def hand(limits: dict[str, float] | None = None, **more: object) -> Limits:
    return replace(Calibration.by_hand(0.05, limits or {}).to_limits(), **more)


def falling(steps: int = 60) -> list[Record]:
    """A reward that rises to 1 and falls to 0 for good at step 40."""
    return [
        Record(step, values={"reward/mean": 1 - math.exp(-step / 5) if step < 40 else 0.0,
                             "policy/entropy": 0.5 + 0.01 * (step % 3)})
        for step in range(steps)
    ]  # fmt: skip


def alarms(limits: Limits | None) -> list[Alarm]:
    panel = Panel(limits=limits)
    return [alarm for record in falling() for alarm in panel.update(record)]


def test_limits_by_hand_that_change_nothing_raise_what_the_shipped_ones_raise() -> None:
    assert alarms(None) == alarms(hand())
    assert [alarm.detector for alarm in alarms(None)] == ["reward-drop"]


def test_a_changed_limit_keeps_its_tier_and_name_and_says_that_nothing_is_claimed() -> None:
    (earlier,) = alarms(hand({"reward-drop": 0.5}))
    (shipped,) = alarms(None)
    assert (earlier.severity, earlier.detector) == ("alarm", "reward-drop")
    assert earlier.step <= shipped.step
    assert BY_HAND in earlier.notes and BY_HAND not in shipped.notes
    assert alarms(hand({"reward-drop": 100.0})) == []


def test_the_alarm_tiers_alpha_is_that_of_the_e_detector() -> None:
    panel = Panel(planned_steps=100, limits=hand({"e-detector": math.log(100) / math.log(20)}))
    (detector,) = (one for one in panel._state.detectors if isinstance(one, EDetector))
    assert detector.alpha == pytest.approx(0.01)
    assert (detector.limit, detector.planned_steps) == (None, 100)


def test_a_muted_signal_is_not_judged_and_the_alarm_says_so() -> None:
    assert alarms(hand(muted=frozenset({"reward/mean"}))) == []
    (alarm,) = alarms(hand(muted=frozenset({"policy/entropy"})))
    assert "policy/entropy (muted)" in alarm.not_monitored


@pytest.mark.parametrize(("low", "high", "excused"), [(30, 30, True), (31, 40, False)])
def test_what_begins_where_a_change_was_expected_may_only_watch(
    low: int, high: int, excused: bool
) -> None:
    found = hand(expected=((low, high),)).excuse(FOUND)
    assert found.severity == ("watch" if excused else "alarm")
    assert ("a change was expected at steps 30 to 30, so only a watch" in found.notes) == excused


def test_a_hard_failure_is_never_expected() -> None:
    critical = replace(FOUND, severity="critical")
    assert hand(expected=((0, 99),)).excuse(critical) == critical


def test_what_was_set_by_hand_is_kept_as_a_calibration_file(tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    made = Calibration.by_hand(0.01, {"cusum": 2.0}, ("kl/ref",), ((100, 150),))
    made.save(file)
    limits = load(file).to_limits()
    assert limits == made.to_limits()
    assert (limits.by_hand, limits.muted, limits.expected) == (True, {"kl/ref"}, ((100, 150),))
