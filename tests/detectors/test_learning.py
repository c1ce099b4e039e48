"""The watch tier: what learning explains is no fault, and everything else still is."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest

from collapse_lab.detectors.learning import Learning
from collapse_lab.detectors.panel import Panel
from collapse_lab.records import Alarm, Evidence, Record

STEPS = 120
SURER = [max(0, step - 60) for step in range(STEPS)]
"""Steps since the policy began to grow sure."""
ENTROPY = [0.97**since * (1 + step % 3 / 50) for step, since in enumerate(SURER)]
RISING = [0.5 + 0.002 * step + 0.05 * (-1) ** step for step in range(STEPS)]


def watches(**columns: Iterable[float]) -> list[Alarm]:
    """Of `cusum`, over these columns; a name's double underscore is a slash."""
    names = [name.replace("__", "/") for name in columns]
    panel = Panel()
    return [
        alarm
        for step, row in enumerate(zip(*columns.values(), strict=True))
        for alarm in panel.update(Record(step, values=dict(zip(names, row, strict=True))))
        if alarm.detector == "cusum"
    ]


def test_entropy_that_falls_without_a_reward_to_explain_it_is_watched() -> None:
    (alarm,) = watches(policy__entropy=ENTROPY)
    assert alarm.signals == ("policy/entropy",) and 60 < alarm.since < alarm.step < 80


def test_entropy_that_falls_while_the_reward_is_at_its_best_is_not() -> None:
    assert watches(policy__entropy=ENTROPY, reward__mean=RISING) == []
    assert watches(policy__entropy=ENTROPY, reward__mean=[0.6, 0.5] * (STEPS // 2)) == []


def test_groups_that_come_to_agree_are_watched_at_the_best_reward_too() -> None:
    agree = [0.1 + 0.01 * (step % 3) + 0.015 * since for step, since in enumerate(SURER)]
    (alarm,) = watches(reward__zero_std_frac=agree, reward__mean=RISING)
    assert alarm.signals == ("reward/zero_std_frac",)


def test_entropy_that_falls_is_watched_as_soon_as_the_reward_leaves_its_best() -> None:
    """The reward alternates about 0.8 by 0.05 until step 89 and loses 0.03 a step from there; two
    standard errors are 2 x 1.4826 x 0.1 / sqrt(2) x sqrt(2 / 8) = 0.105. The mean of eight has lost
    0.03 (1 + ... + n) / 8 after n steps: 0.079 after six, 0.105 after seven, 0.135 after eight."""
    reward = [0.8 + 0.05 * (-1) ** step - 0.03 * max(0, step - 89) for step in range(STEPS)]
    (alarm,) = watches(policy__entropy=ENTROPY, reward__mean=reward)
    assert alarm.signals == ("policy/entropy",)
    assert 89 + 6 < alarm.step <= 89 + 8


def test_an_entropy_of_nearly_nothing_is_watched_however_good_the_reward() -> None:
    """0.9 to the power of 28 is 0.052 of the start, of 29 is 0.047."""
    entropy = [0.9**since * (1 + step % 3 / 500) for step, since in enumerate(SURER)]
    (alarm,) = watches(policy__entropy=entropy, reward__mean=RISING)
    assert alarm.step == 60 + 29


@pytest.mark.parametrize("reward", [RISING, [0.5] * STEPS])
def test_divergence_from_the_reference_is_watched_at_the_best_reward_too(
    reward: list[float],
) -> None:
    divergence = [0.01 * 1.05**since * (1 + step % 3 / 50) for step, since in enumerate(SURER)]
    (alarm,) = watches(kl__ref=divergence, policy__entropy=ENTROPY, reward__mean=reward)
    assert alarm.signals == ("kl/ref",)


def test_an_excursion_that_was_told_is_not_told_again_when_the_reward_wavers() -> None:
    """It leaves its best at steps 75 to 89 and again from 105 on."""
    low = [*range(75, 90), *range(105, STEPS)]
    reward = [0.5 + 0.02 * (-1) ** step - 0.2 * (step in low) for step in range(STEPS)]
    (alarm,) = watches(policy__entropy=ENTROPY, reward__mean=reward)
    assert 75 <= alarm.step < 80


@pytest.mark.parametrize(("now", "at_best"), [(0.40, True), (0.38, False)])
def test_a_reward_within_two_standard_errors_of_its_best_is_at_its_best(
    now: float, at_best: bool
) -> None:
    """Steps of 0.2 are a noise of 1.4826 x 0.2 / sqrt(2) = 0.2097; two errors of a difference of
    means of eight are 2 x 0.2097 / 2, so that 0.6 - 0.2097 = 0.390 is enough."""
    panel, learning = Panel(), Learning()
    for reward in [0.7, 0.5] * 10 + [now] * 8:
        learning.update(panel.see(Record(0, values={"reward/mean": reward})))
    assert learning.at_best() is at_best


def test_a_twentieth_of_the_gain_may_be_lost_however_quiet_the_reward_is() -> None:
    """Eight records of 0.96, then 0.94, after a hundred of 1: the noise is nothing next to it."""
    panel, learning, seen = Panel(), Learning(), list[bool]()
    for reward in [1.0] * 100 + [0.96] * 8 + [0.94] * 8:
        learning.update(panel.see(Record(0, values={"reward/mean": reward})))
        seen.append(learning.at_best())
    assert (seen[6], seen[7]) == (False, True)  # eight records make the first mean
    assert all(seen[7:108]) and not seen[-1]


def test_of_negative_rewards_a_twentieth_of_the_way_up_may_be_lost() -> None:
    """From -10 to 0: 0.45 is less than 0.5, and more than two errors, of a noise of half the root
    of 10^2 / 2 / 107, which are 0.34."""
    panel, learning = Panel(), Learning()
    for reward in [-10.0] * 8 + [0.0] * 92 + [-0.45] * 8:
        learning.update(panel.see(Record(0, values={"reward/mean": reward})))
    assert learning.at_best()


def test_the_entropy_that_the_run_began_with_stays_when_another_reward_takes_over() -> None:
    panel, learning = Panel(), Learning()
    for name, entropy in (("reward/mean", 1.0), ("reward/success_rate", 0.04)):
        for _ in range(8):
            learning.update(panel.see(Record(0, values={name: 0.5, "policy/entropy": entropy})))
    sure = Evidence("policy/entropy", "policy", 8, 0.04, 1.0, 0.8, 1.2, "down", 20.0, 8, 8)
    assert learning.at_best()
    assert learning.faults((sure,)) == (sure,)


def test_six_signals_are_named_beside_an_entropy_that_learning_explains() -> None:
    """Entropy moves a step before the others, so that its excursion is the strongest."""
    others = ("optim__grad_norm", "kl__old", "mismatch__k3_kl", "length__mean", "ratio__m2")
    names = (*others, "reward__zero_std_frac")
    moved = {
        name: [(0.1 + step % 3 / 200) * (4.0 if step > 60 else 1.0) for step in range(STEPS)]
        for name in names
    }
    entropy = [(1 + step % 3 / 50) * (0.5 if step >= 60 else 1.0) for step in range(STEPS)]
    alarm = watches(policy__entropy=entropy, reward__mean=RISING, **moved)[0]
    assert set(alarm.signals) == {name.replace("__", "/") for name in names}


def test_a_reward_that_takes_over_is_followed_from_its_own_beginning() -> None:
    panel, learning = Panel(), Learning()
    for _ in range(20):
        learning.update(panel.see(Record(0, values={"reward/mean": 3.0})))
    learning.update(panel.see(Record(0, values={"reward/mean": 3.0, "reward/success_rate": 0.2})))
    assert not learning.at_best()
    for _ in range(7):
        learning.update(
            panel.see(Record(0, values={"reward/success_rate": 0.2, "reward/mean": math.nan}))
        )
    assert learning.at_best()


@pytest.mark.parametrize("freak", [50.0, 1e20])
def test_one_freak_reward_is_not_the_best_for_good(freak: float) -> None:
    """At most the range of 0.04 thrice above 0.54 is believed of it, 0.66: an eighth of that is
    within the errors that remain."""
    panel, learning = Panel(), Learning()
    for step in range(100):
        reward = freak if step == 50 else 0.5 + 0.01 * (step % 5)
        learning.update(panel.see(Record(step, values={"reward/mean": reward})))
    assert learning.at_best()
