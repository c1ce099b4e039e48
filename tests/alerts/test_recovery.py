"""When an alarm is over: means of ten records, on the side on which the signals had left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from collapse_lab.alerts.recovery import Recovery
from collapse_lab.records import Alarm, Evidence, Record

MakeAlarm = Callable[..., Alarm]
REWARD = Evidence("reward/mean", "reward", 30, 0.1, 0.8, 0.7, 0.9, "down", 9.0, 5, 5)
LENGTH = Evidence("length/mean", "length", 30, 90.0, 40.0, 30.0, 50.0, "up", 9.0, 5, 5)


def over_at(alarm: Alarm, records: list[dict[str, float]]) -> int | None:
    """The record, counted from one, after which it is over."""
    recovery = Recovery(alarm)
    said = (recovery.update(Record(step, values=values)) for step, values in enumerate(records))
    return next((count for count, text in enumerate(said, 1) if text), None)


def test_a_mean_that_is_back_ends_it_though_single_records_waver(alarm: MakeAlarm) -> None:
    fallen = replace(alarm(), evidence=(REWARD,))
    wavering = [{"reward/mean": value} for value in [0.6, 0.85] * 10]
    assert over_at(fallen, wavering) == 10  # their mean is .725
    assert over_at(fallen, [{"reward/mean": 0.69}] * 40) is None


def test_better_than_ever_is_back(alarm: MakeAlarm) -> None:
    assert over_at(replace(alarm(), evidence=(REWARD,)), [{"reward/mean": 2.0}] * 10) == 10
    assert over_at(replace(alarm(), evidence=(LENGTH,)), [{"length/mean": 5.0}] * 10) == 10


def test_after_a_fall_of_the_reward_the_reward_alone_is_asked(alarm: MakeAlarm) -> None:
    both = replace(alarm(), evidence=(REWARD, LENGTH))
    assert over_at(both, [{"reward/mean": 0.8, "length/mean": 90.0}] * 10) == 10


def test_without_a_fallen_reward_every_signal_must_be_back(alarm: MakeAlarm) -> None:
    entropy = alarm().evidence[0]
    both = replace(alarm(), evidence=(entropy, LENGTH))
    records = [{"policy/entropy": 0.2, "length/mean": 90.0}] * 5
    records += [{"policy/entropy": 0.2, "length/mean": 40.0}] * 20
    # five of 90 and five of 40 are 65 on average, two and eight are 50
    assert over_at(both, records) == 13


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_not_back(alarm: MakeAlarm, value: float) -> None:
    fallen = replace(alarm(), evidence=(REWARD,))
    hole = {"reward/mean": value}
    assert over_at(fallen, [{"reward/mean": 0.8}] * 9 + [hole] + [{"reward/mean": 0.8}] * 20) == 20


def test_records_of_something_else_in_between_say_nothing(alarm: MakeAlarm) -> None:
    fallen = replace(alarm(), evidence=(REWARD,))
    evaluated = [{"reward/mean": 0.8}, {"eval/success_rate": 0.1}] * 10
    assert over_at(fallen, evaluated) == 19  # the tenth of its own
    both = replace(alarm(), evidence=(alarm().evidence[0], LENGTH))
    apart = [*[{"length/mean": 40.0}] * 5, {"policy/entropy": 0.2}] * 20
    assert over_at(both, apart) == 60  # ten of the rarer one


def test_a_signal_that_is_gone_is_not_back_though_it_was(alarm: MakeAlarm) -> None:
    fallen = replace(alarm(), evidence=(REWARD,))
    assert over_at(fallen, [{"reward/mean": 0.8}] * 9 + [{"length/mean": 40.0}] * 99) is None
    both = replace(alarm(), evidence=(alarm().evidence[0], LENGTH))
    back = [{"policy/entropy": 0.2, "length/mean": 90.0}] * 20
    gone = [{"length/mean": 40.0}] * 20
    assert over_at(both, back + gone) is None
    assert over_at(both, back + gone + [{"policy/entropy": 0.2, "length/mean": 40.0}]) == 41


def test_an_alarm_without_evidence_is_not_over_by_itself(alarm: MakeAlarm) -> None:
    assert over_at(replace(alarm(), evidence=()), [{"reward/mean": 0.8}] * 40) is None
