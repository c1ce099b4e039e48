"""A calibrated limit says that it is one, holds as long as it was calibrated for, and no longer."""

from __future__ import annotations

import math

import numpy as np

from collapse_lab.detectors.limits import Limits, unreachable
from collapse_lab.detectors.panel import Panel
from collapse_lab.records import Alarm, Record

SIGNALS = ("policy/entropy", "optim/grad_norm", "length/mean", "kl/ref")


def alarms(limits: Limits | None, planned_steps: int | None = None) -> list[Alarm]:
    """Of a run in which four families leave their course at step 40."""
    random = np.random.default_rng(2)
    panel = Panel(planned_steps, limits=limits)
    found: list[Alarm] = []
    for step in range(60):
        far = 0.4 * max(0, step - 40)
        values = {name: math.exp(random.normal(0, 0.1) + far) for name in SIGNALS}
        found += panel.update(Record(step, values=values))
    return found


def first(limits: Limits | None, detector: str) -> Alarm:
    """The first alarm of a detector, calibrated or not."""
    return next(alarm for alarm in alarms(limits) if alarm.detector.endswith(detector))


def test_a_calibrated_alarm_says_so_and_keeps_its_explanation() -> None:
    alarm = first(Limits({"e-detector": 1.0}, 100, "held by 40 runs"), "e-detector")
    shipped = first(None, "e-detector")
    assert alarm.detector == "calibrated-e-detector"
    assert "held by 40 runs" in alarm.notes
    assert not any("assumed" in note for note in alarm.notes)  # the other promise is not made
    assert (alarm.step, alarm.severity) == (shipped.step, "alarm")
    assert (alarm.evidence, alarm.since) == (shipped.evidence, shipped.since)


def test_a_lower_limit_speaks_sooner_and_names_itself_in_the_message() -> None:
    low = first(Limits({"e-detector": 0.0}, 100, ""), "e-detector")
    shipped = first(None, "e-detector")
    assert low.step < shipped.step
    assert "against 1)" in low.message and "against 20)" in shipped.message


def test_beyond_the_length_it_was_calibrated_on_it_only_watches() -> None:
    alarm = first(Limits({"e-detector": 1.0}, 40, "held"), "e-detector")
    assert alarm.severity == "watch"
    assert any("up to 40 records" in note for note in alarm.notes) and "held" not in alarm.notes


def test_what_is_not_calibrated_only_watches() -> None:
    found = alarms(Limits({"reward-drop": 1.0}, 100, "held"))
    by_name = {alarm.detector: alarm for alarm in found}
    assert by_name["e-detector"].severity == "watch"
    assert "not calibrated, so only a watch" in by_name["e-detector"].notes
    assert by_name["cusum"].notes == ()  # it has never done more


def test_a_calibrated_cusum_raises_alarms() -> None:
    alarm = first(Limits({"cusum": 1.0}, 100, "held"), "cusum")
    assert (alarm.detector, alarm.severity) == ("calibrated-cusum", "alarm")


def test_hard_failures_stay_critical() -> None:
    panel = Panel(limits=unreachable(("e-detector", "cusum", "reward-drop")))
    broken = [
        alarm
        for step in range(3)
        for alarm in panel.update(Record(step, values={"optim/grad_norm": math.nan}))
    ]
    assert {(alarm.detector, alarm.severity) for alarm in broken} == {("non-finite", "critical")}


def test_out_of_reach_nothing_is_raised_and_every_score_is_seen() -> None:
    panel = Panel(limits=unreachable(("e-detector", "cusum", "reward-drop")))
    assert alarms(unreachable(("e-detector", "cusum", "reward-drop"))) == []
    assert panel.scores() == {"cusum": 0.0, "e-detector": -math.inf, "reward-drop": 0.0}


def test_the_planned_length_does_not_move_calibrated_scores() -> None:
    limits = Limits({"e-detector": 0.5}, 100, "")
    assert alarms(limits) == alarms(limits, planned_steps=60)
