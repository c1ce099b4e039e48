"""Levels before and after a step, and when their difference is more than noise."""

from __future__ import annotations

import math

import pytest

from collapse_lab.detectors.history import BEFORE, EARLY, KEPT, NOW, History, Levels
from collapse_lab.records import Record

NAME = "policy/entropy"


def history(values: list[float]) -> History:
    made = History((NAME, "optim/lr"))
    for step, value in enumerate(values):
        made.update(Record(step, values={NAME: value}))
    return made


def test_levels_are_medians_of_the_early_records_those_before_a_step_and_those_now() -> None:
    early, middle, late = [1.0, 2.0, 3.0] + [9.0] * 5, [4.0] * BEFORE, [8.0, 7.0, 6.0, 5.0, 4.0]
    levels = history(early + middle + late).levels(NAME, since=EARLY + BEFORE)
    assert (levels.first, levels.early, levels.before, levels.now) == (1.0, 9.0, 4.0, 6.0)
    assert levels.last_before == 4.0


def test_a_doubling_of_a_steady_signal_is_a_move_and_its_noise_is_none() -> None:
    steady = [1.0, 1.02, 0.98] * 10
    assert history([*steady, *[2.0] * NOW]).levels(NAME, 30).moved == "up"
    assert history([*steady, *[0.5] * NOW]).levels(NAME, 30).moved == "down"
    assert history([*steady, *[1.02] * NOW]).levels(NAME, 30).moved == ""


def test_what_jumps_all_the_time_has_not_moved_by_one_jump() -> None:
    assert history([*[1.0, 3.0, 0.3] * 10, *[2.5] * NOW]).levels(NAME, 30).moved == ""


def test_a_slow_drift_is_told_from_the_early_records() -> None:
    ramp = history([1.01**step for step in range(120)])
    assert ramp.levels(NAME, 115).moved == ""
    assert ramp.levels(NAME, 115).drifted == "up"


def test_nan_and_what_was_never_logged_have_no_level() -> None:
    made = history([math.nan, 1.0, math.nan, 1.0])
    assert made.levels(NAME, 2).now == made.levels(NAME, 2).first == 1.0
    unknown = made.levels("optim/lr", 2)
    assert (unknown.moved, unknown.drifted) == ("", "")
    assert all(math.isnan(level) for level in (unknown.first, unknown.before, unknown.now))


def test_only_the_last_records_and_the_first_few_are_kept() -> None:
    made = history([5.0] * EARLY + [1.0] * (2 * KEPT))
    assert made.levels(NAME, 0) == Levels(first=5.0, early=5.0, now=1.0, drifted="down")


@pytest.mark.parametrize("since", [-1, 0, 99])
def test_a_change_before_the_first_or_after_the_last_record_is_no_move(since: int) -> None:
    assert history([1.0, 1.0, 1.0]).levels(NAME, since).moved == ""
