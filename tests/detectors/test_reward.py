"""The reward that detectors follow: which one, its floor, its noise, and what is not believed."""

from __future__ import annotations

import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.detectors.reward import Reward

MEAN, SUCCESS = "reward/mean", "reward/success_rate"


def fed(*records: dict[str, float]) -> Reward:
    reward = Reward()
    for values in records:
        reward.update(values)
    return reward


def test_without_a_reward_there_is_none() -> None:
    reward = fed({}, {"loss/total": 1.0})
    assert reward.signal == "" and math.isnan(reward.now) and not reward.first


def test_the_first_reward_is_said_to_be_and_the_next_is_not() -> None:
    reward, firsts = Reward(), list[bool]()
    for value in (math.nan, 0.5, math.nan, 0.7):
        reward.update({MEAN: value})
        firsts.append(reward.first)
    assert firsts == [False, True, False, False]
    assert reward.now == 0.7


def test_a_success_rate_takes_over_and_what_was_known_is_gone() -> None:
    reward = fed({MEAN: -3.0}, {MEAN: 2.0})
    assert (reward.signal, reward.floor) == (MEAN, -3.0) and reward.noise > 0
    reward.update({MEAN: 1.0, SUCCESS: 0.5})
    assert (reward.signal, reward.now, reward.first) == (SUCCESS, 0.5, True)
    assert (reward.floor, reward.noise) == (0.0, 0.0)
    reward.update({MEAN: 1.0})
    assert reward.signal == SUCCESS and math.isnan(reward.now)


def test_the_noise_of_a_record_is_taken_from_the_changes_across_gaps_too() -> None:
    """Changes of 0.1, -0.1, 0.1: 1.4826 x 0.1 / sqrt(2)."""
    reward = fed({MEAN: 0.5}, {MEAN: 0.6}, {MEAN: math.nan}, {MEAN: 0.5}, {}, {MEAN: 0.6})
    assert reward.noise == pytest.approx(0.1048, abs=1e-4)


@pytest.mark.parametrize("freak", [-50.0, -0.1])
def test_a_lone_freak_makes_no_floor_where_nothing_was_below_zero(freak: float) -> None:
    reward = fed(*({MEAN: 0.5 + 0.1 * (step % 4)} for step in range(40)), {MEAN: freak})
    assert reward.floor == reward.now == 0.0


@given(st.lists(st.dictionaries(st.sampled_from([MEAN, SUCCESS, "kl/old"]), st.floats())))
def test_any_values_leave_a_finite_floor_and_a_resumed_one_goes_on_alike(
    records: list[dict[str, float]],
) -> None:
    reward, resumed = Reward(), Reward()
    for values in records:
        reward.update(values)
        resumed = pickle.loads(pickle.dumps(resumed))
        resumed.update(values)
        assert math.isfinite(reward.floor) and reward.noise >= 0
    assert repr(reward) == repr(resumed)
