"""The late detector: a reward that is lost for good is always told, a bad batch is not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from collapse_lab.detectors.limits import unreachable
from collapse_lab.detectors.panel import Panel
from collapse_lab.records import Alarm, Record


def alarms(rewards: list[float], name: str = "reward/mean") -> list[Alarm]:
    panel = Panel()
    return [
        alarm
        for index, reward in enumerate(rewards)
        for alarm in panel.update(Record(index, values={name: reward}))
        if alarm.detector == "reward-drop"
    ]


def noisy(levels: list[float], sigma: float, seed: int = 0) -> list[float]:
    rng = np.random.default_rng(seed)
    return [float(np.clip(level + rng.normal(0, sigma), 0, 1)) for level in levels]


def test_a_collapse_to_zero_is_told_within_a_few_records() -> None:
    found = alarms(noisy([0.8] * 60 + [0.0] * 20, 0.08))
    assert len(found) == 1
    assert 60 < found[0].step <= 66
    assert found[0].severity == "alarm"
    assert found[0].evidence[0].expected == pytest.approx(
        0.85, abs=0.06
    )  # the best of many windows


def test_a_slow_decay_is_told_once_before_half_is_gone() -> None:
    """A quarter is gone after 50 records, half after 100."""
    decay = [0.8 * (1 - i / 200) for i in range(200)]
    found = alarms(noisy([0.8] * 100 + decay, 0.05))
    assert [150 < alarm.step < 200 for alarm in found] == [True]


def test_a_quarter_that_is_lost_for_a_dozen_records_only_is_not_told() -> None:
    assert alarms(noisy([0.8] * 60 + [0.5] * 12 + [0.8] * 60, 0.03)) == []


@pytest.mark.parametrize(("families", "records"), [(0, 8), (1, 5), (2, 3), (3, 3)])
def test_families_that_are_off_their_course_too_make_it_sure_sooner(families: int, records: int):
    """From 0.8, give or take 0.05, to 0.36. Steps of 0.1 are a noise of 1.4826 x 0.1 / sqrt(2) =
    0.105, so that the last 8 records are 0.44 / (0.105 sqrt(1/8 + 1/16)) = 9.7 standard errors
    away, the last 5 are 7.7 and the last 3 are 5.9; half is lost in no window with a good one."""
    others = ("optim/grad_norm", "policy/entropy", "length/mean")[:families]
    panel, found = Panel(), list[Alarm]()
    for index in range(80):
        fallen = index >= 60
        values = dict.fromkeys(others, (9.0 if fallen else 1.0) + index % 3 / 50)
        reward = 0.36 if fallen else 0.85 - index % 2 / 10
        record = Record(index, values={"reward/mean": reward, **values})
        found += [one for one in panel.update(record) if one.detector == "reward-drop"]
    (alarm,) = found
    assert alarm.step == 59 + records
    assert {part.signal for part in alarm.evidence} == {"reward/mean", *others}


@pytest.mark.parametrize("bad", [1, 2])
def test_one_or_two_bad_batches_are_not_a_collapse(bad: int) -> None:
    assert alarms(noisy([0.8] * 60 + [0.0] * bad + [0.8] * 60, 0.08)) == []


@pytest.mark.parametrize("freak", [-1e20, -1e8, -5.0, 5.0, 50.0, 1e8, 1e20])
def test_one_freak_reward_is_no_alarm_and_hides_no_collapse_that_comes_after(freak: float) -> None:
    learned = noisy([min(0.8, 0.1 + 0.02 * step) for step in range(150)], 0.02)
    learned[60] = freak
    found = alarms(learned + noisy([max(0.0, 0.8 - 0.05 * step) for step in range(50)], 0.02))
    assert [150 < alarm.step <= 175 for alarm in found] == [True]


def test_a_noisy_flat_reward_is_not_a_collapse() -> None:
    assert alarms(noisy([0.3] * 1000, 0.25, seed=5)) == []


def test_a_run_that_never_learned_has_nothing_to_lose() -> None:
    assert alarms(noisy([0.01] * 300, 0.02, seed=2)) == []


def test_negative_rewards_that_fall_back_to_where_they_began_are_told() -> None:
    rng = np.random.default_rng(4)
    rewards = [*(-35 + rng.normal(0, 1, 10)), *(-25 + rng.normal(0, 1, 60))]
    rewards += [*(-35 + rng.normal(0, 1, 30))]
    found = alarms([float(r) for r in rewards])
    assert [70 < alarm.step < 85 for alarm in found] == [True]


def test_it_is_told_once_and_again_only_after_the_reward_came_back() -> None:
    levels = [0.8] * 40 + [0.0] * 40 + [0.8] * 60 + [0.0] * 40
    found = alarms(noisy(levels, 0.05))
    assert [40 < a.step < 50 or 140 < a.step < 152 for a in found] == [True, True]


def test_a_reward_that_wavers_about_half_is_told_once() -> None:
    levels = [0.8] * 60 + ([0.3] * 10 + [0.5] * 10) * 6
    assert len(alarms(noisy(levels, 0.05))) == 1


def test_missing_and_non_finite_rewards_are_stepped_over() -> None:
    rewards = noisy([0.8] * 60 + [0.0] * 20, 0.08)
    holes = [math.nan if i % 7 == 0 else reward for i, reward in enumerate(rewards)]
    assert len(alarms(holes)) == 1


def test_the_success_rate_serves_where_there_is_no_reward() -> None:
    assert len(alarms(noisy([0.8] * 60 + [0.0] * 20, 0.08), "reward/success_rate")) == 1


def test_the_fall_is_dated_by_its_knee_however_long_before_something_else_has_drifted() -> None:
    """The reward is 0.85 and 0.75 in turn until step 99 and loses 0.02 a step from there; the
    entropy loses a tenth a step from step 30 on, which is no fault and evidence all the same."""
    rewards = [0.8 - 0.02 * max(0, step - 99) + 0.05 * (-1) ** step for step in range(140)]
    panel, found = Panel(), list[Alarm]()
    for step, reward in enumerate(rewards):
        entropy = math.exp(-0.1 * max(0, step - 30)) * (1 + step % 3 / 50)
        record = Record(step, values={"reward/mean": reward, "policy/entropy": entropy})
        found += [one for one in panel.update(record) if one.detector == "reward-drop"]
    (alarm,) = found
    low, high = alarm.since_interval
    assert 97 <= low <= alarm.since <= high <= 103
    assert alarm.last_healthy_step == low - 1
    reward, entropy = alarm.evidence
    assert reward.since == alarm.since and entropy.since < 40
    fallen = rewards[alarm.since : alarm.step + 1]
    assert reward.steps == len(fallen)
    assert reward.bad_steps == sum(one < reward.low for one in fallen)


def score_after(rewards: list[float]) -> float:
    """With the limit out of reach."""
    panel = Panel(limits=unreachable(("reward-drop",)))
    for index, reward in enumerate(rewards):
        panel.update(Record(index, values={"reward/mean": reward}))
    return panel.scores()["reward-drop"]


def test_beyond_the_shipped_limit_the_score_is_the_share_of_the_gain_that_is_surely_lost() -> None:
    """Noise is 1.4826 x 0.1 / sqrt(2) = 0.105 and the best mean 0.8. The last 13 records, at 0.2,
    are 0.6 / (0.105 sqrt(1/13 + 1/26)) = 16.9 standard errors below the 26 before, 0.75 lost."""
    steady = [0.85 - index % 2 / 10 for index in range(60)]
    assert score_after(steady + [0.2] * 13) == pytest.approx(1 + 0.75 * (1 - 8.5 / 16.9), abs=0.01)
    assert score_after(steady + [0.6] * 13) == 0.0
    assert 0.5 < score_after(steady + [0.36] * 6) < 1


def test_a_dip_by_half_scores_less_than_a_loss_of_everything_however_sure_it_is() -> None:
    quiet, noisier = ([0.8 + sign * (index % 2) for index in range(60)] for sign in (0.0, 0.1))
    sure_dip = score_after([*quiet, *[0.35] * 20])
    assert 1.2 < sure_dip < score_after([*noisier, *[0.0] * 30])


def test_of_two_runs_that_lost_everything_the_one_that_stays_so_scores_more() -> None:
    steady = [0.85 - index % 2 / 10 for index in range(60)]
    short, long = (score_after(steady + [0.0] * records) for records in (4, 40))
    assert 1.0 < short < long < 2


def hacked(after: float, part: str = "reward/accuracy") -> list[Alarm]:
    """A part of the reward is lost from record 100 on; `after` is where the reward goes."""
    rng = np.random.default_rng(3)
    panel, found = Panel(), list[Alarm]()
    for index in range(160):
        gone = min(1.0, max(0.0, (index - 100) / 20))
        values = {"reward/mean": 0.9 + gone * (after - 0.9), part: 0.8 * (1 - gone)}
        values = {name: value + rng.normal(0, 0.03) for name, value in values.items()}
        found += panel.update(Record(index, values=values))
    return [alarm for alarm in found if alarm.detector == "reward-drop"]


def test_right_answers_that_are_lost_while_the_reward_is_not_are_told() -> None:
    (alarm,) = hacked(after=1.2)
    assert 105 < alarm.step <= 120 and 95 <= alarm.since <= 105
    assert "the reward for right answers has lost" in alarm.message
    assert alarm.evidence[0].signal == "reward/accuracy"
    assert any("the reward as a whole has not been lost" in note for note in alarm.notes)
    assert alarm.suspicions[0].mechanism == "reward_hacking"


def test_well_formed_answers_that_are_lost_are_told_likewise() -> None:
    (alarm,) = hacked(after=0.9, part="reward/format")
    assert "the reward for well-formed answers has lost" in alarm.message


def test_any_other_part_of_the_reward_may_be_lost() -> None:
    """It may be paid for what a policy gives up as it learns."""
    assert hacked(after=0.9, part="rewards/length_reward/mean") == []


def test_a_reward_that_is_lost_after_its_right_answers_is_told_too_and_not_the_other_way_round():
    """Until record 100 it pays 1.2 for the form and 1 for answers, in turn less and less."""

    def told(form_first: bool) -> list[str]:
        panel, found = Panel(), list[str]()
        for index in range(200):
            early, late = (max(0.0, 1 - max(0, index - start) / 10) for start in (100, 140))
            form, answers = (1.2 * early, late) if form_first else (1.2 * late, early)
            values = {"reward/mean": form + answers + index % 3 / 50, "reward/accuracy": answers}
            found += [
                alarm.evidence[0].signal
                for alarm in panel.update(Record(index, values=values))
                if alarm.detector == "reward-drop"
            ]
        return found

    assert told(form_first=False) == ["reward/accuracy", "reward/mean"]
    assert told(form_first=True) == ["reward/mean"]


def test_right_answers_that_stay_lost_when_the_reward_comes_back_are_told_then() -> None:
    panel, found = Panel(), list[tuple[int, str]]()
    for index in range(160):
        fallen, answers = 60 <= index < 100, 1.0 if index < 60 else 0.1
        values = {"reward/mean": 0.2 if fallen else 2.0, "reward/accuracy": answers}
        values = {name: value + index % 3 / 50 for name, value in values.items()}
        found += [
            (alarm.step, alarm.evidence[0].signal)
            for alarm in panel.update(Record(index, values=values))
            if alarm.detector == "reward-drop"
        ]
    (first, whole), (later, part) = found
    assert (whole, part) == ("reward/mean", "reward/accuracy")
    assert first < 70 and 100 < later < 115


def test_the_score_is_that_of_the_worst_of_them() -> None:
    panel = Panel(limits=unreachable(("reward-drop",)))
    for index in range(80):
        answers = 0.8 if index < 60 else 0.1
        values = {"reward/mean": 2 + index % 2 / 10, "reward/accuracy": answers + index % 2 / 10}
        panel.update(Record(index, values=values))
    assert 1.4 < panel.scores()["reward-drop"] < 2
