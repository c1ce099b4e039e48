"""How far a reward is believed: lone freaks are cut, real changes of level pass."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.detectors.plausible import KNOWN, Plausible

WAVERING = [0.4, 0.6, 0.6, 0.4] * 6
"""Two records on end have shown .4 and .6: a range of .2."""


def after(*rewards: float, before: list[float] = WAVERING) -> list[float]:
    plausible = Plausible()
    for reward in before:
        plausible(reward)
    return [round(plausible(reward), 6) for reward in rewards]


def test_a_lone_freak_is_cut_and_leaves_no_trace() -> None:
    assert after(1e20, 0.5) == [1.2, 0.5]  # .6 + 3 x .2
    assert after(-1e20, 0.5, -1e20) == [0.0, 0.5, 0.0]  # zero is always believed
    below_zero = [reward - 1 for reward in WAVERING]
    assert after(-50.0, -0.5, before=below_zero) == [-0.8, -0.5]  # -.6 - .2


def test_a_new_level_is_believed_two_records_later() -> None:
    assert after(0.9, 0.9, 0.9) == [0.9, 0.9, 0.9]
    # bounds: .6 + 3 x .2, as long as one record alone is beyond; then 1.2 + 3 x .8
    assert after(3.0, 3.0, 3.0) == [1.2, 1.2, 3.0]


def test_a_fall_to_nothing_is_believed_at_once() -> None:
    assert after(0.0, 0.0) == [0.0, 0.0]


def test_the_first_records_and_a_reward_that_never_moved_are_believed() -> None:
    assert after(7.0, before=WAVERING[: KNOWN - 1]) == [7.0]
    assert after(7.0, before=[0.5] * 40) == [7.0]


@given(st.lists(st.floats(-1e6, 1e6), max_size=60))
def test_what_is_believed_lies_within_what_was_seen(rewards: list[float]) -> None:
    plausible = Plausible()
    for count, reward in enumerate(rewards, 1):
        assert min(rewards[:count]) <= plausible(reward) <= max(rewards[:count])


@given(st.lists(st.floats(0, 1), min_size=20, max_size=60))
def test_repeating_a_reward_makes_it_believed(rewards: list[float]) -> None:
    plausible = Plausible()
    for reward in rewards:
        plausible(reward)
    repeated = [plausible(5.0) for _ in range(600)]
    assert repeated[-1] == 5.0
