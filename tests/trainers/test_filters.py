from __future__ import annotations

import pytest
import torch
from rollout_examples import rollouts_of

from collapse_lab.trainers.filters import collect, every_group, informative_groups
from collapse_lab.trainers.rollouts import Rollouts


def batch(*groups: list[float]) -> Rollouts:
    """One row per reward, one list a group."""
    ids = [number for number, group in enumerate(groups) for _ in group]
    return rollouts_of([reward for group in groups for reward in group], group=ids)


def test_a_group_with_both_outcomes_stays_and_one_with_a_single_outcome_goes():
    kept = informative_groups(batch([0, 0], [1, 0], [1, 1]))
    assert kept.group_B.tolist() == [1, 1]


def test_a_penalty_alone_does_not_make_a_group_informative():
    rollouts = rollouts_of([0.0, 0.0], penalty_B=torch.tensor([0.1, 0.0], dtype=torch.float64))
    assert len(informative_groups(rollouts)) == 0


def test_long_episodes_do_not_make_a_group_informative():
    same = rollouts_of([1.0, 1.0, 1.0], trajectory=[0, 0, 1], turn=[0, 1, 0])
    assert len(informative_groups(same)) == 0


def test_groups_of_one_are_refused_since_all_would_be_dropped():
    with pytest.raises(ValueError, match="every group has one trajectory"):
        informative_groups(batch([1.0], [0.0]))


def test_every_group_is_sampled_once():
    got = collect(lambda: batch([0, 0], [1, 0]), every_group, groups=2)
    assert (got.tries, got.sampled_groups, got.kept_groups, got.filler_groups) == (1, 2, 2, 0)
    assert len(got.rollouts) == 4


def test_sampling_goes_on_until_enough_groups_are_kept_and_the_surplus_is_cut_by_groups():
    supply = iter([batch([0, 0], [1, 0]), batch([0, 3], [0, 2])])
    got = collect(lambda: next(supply), informative_groups, groups=2)
    assert (got.tries, got.sampled_groups, got.kept_groups, got.filler_groups) == (2, 4, 3, 0)
    assert got.rollouts.reward_B.tolist() == [1, 0, 0, 3]


def test_after_the_last_try_the_oldest_dropped_groups_fill_the_batch():
    supply = iter([batch([0, 0], [1, 1]), batch([5, 5], [1, 0])])
    got = collect(lambda: next(supply), informative_groups, groups=3, tries=2)
    assert (got.tries, got.kept_groups, got.filler_groups) == (2, 1, 2)
    assert got.rollouts.reward_B.tolist() == [1, 0, 0, 0, 1, 1]
    assert len(set(got.rollouts.group_B.tolist())) == 3


def test_a_step_is_never_empty():
    got = collect(lambda: batch([0, 0], [0, 0]), informative_groups, groups=2, tries=3)
    assert (got.tries, got.kept_groups, got.filler_groups) == (3, 0, 2)
    assert len(got.rollouts) == 4


def test_too_few_groups_in_all_are_an_error():
    with pytest.raises(ValueError, match="2 samples gave 2 groups; 3 are asked for"):
        collect(lambda: batch([0, 1]), informative_groups, groups=3, tries=2)
