"""Which rows: the groups worth training on, and how to sample until there are enough of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from collapse_lab.probes.segments import compact, ranges
from collapse_lab.trainers.rollouts import Rollouts, concat

Filter = Callable[[Rollouts], Rollouts]
"""Rollouts -> the rollouts to train on, by whole groups."""


def every_group(rollouts: Rollouts) -> Rollouts:
    """All rows: no filter."""
    return rollouts


def informative_groups(rollouts: Rollouts) -> Rollouts:
    """The groups whose rewards differ: dynamic sampling (DAPO, 2503.14476; ARLArena Eq. 7).

    Judged on the raw episode reward, so that a format penalty alone does not make a group
    informative. With rewards of 0 and r this is 0 < number solved < G; with graded rewards any
    difference counts, as in ARLArena's code. May leave no row: see `collect`.
    """
    group_B, groups = compact(rollouts.group_B)
    pairs = compact(rollouts.group_B, rollouts.trajectory_B)[1]
    if len(rollouts) and pairs == groups:
        raise ValueError(
            "informative_groups: every group has one trajectory, whose reward cannot differ from "
            "itself, so every group would be dropped; sample several per task or use every_group"
        )
    return rollouts.select(ranges(rollouts.reward_B, group_B, groups)[group_B] != 0)


FILTERS: dict[str, Filter] = {
    "every_group": every_group,
    "informative_groups": informative_groups,
}


@dataclass(frozen=True)
class Collected:
    """A batch of exactly the groups asked for, and what it took.

    `tries` batches were sampled, `sampled_groups` groups in all (the step's true cost), of which
    the filter kept `kept_groups`. `filler_groups` of the batch are groups that it did not keep,
    taken so that the batch is full.
    """

    rollouts: Rollouts
    tries: int
    sampled_groups: int
    kept_groups: int
    filler_groups: int


def collect(
    sample: Callable[[], Rollouts], filter: Filter, *, groups: int, tries: int = 3
) -> Collected:
    """Sample batches until the filter has kept `groups` groups, at most `tries` times.

    What is over is cut by whole groups; what is missing after the last try is filled with the
    groups that the filter dropped, the oldest first, so a step is never empty. Neither the fill nor
    the `tries` (3; maths 2) are in the paper's formulas; its code has both. Its cold start (no
    filter for the first 5-15 steps, code only) is the caller passing `every_group` for a while.
    Raises ValueError when all samples together have fewer groups than asked for.
    """
    kept: list[Rollouts] = []
    dropped: list[Rollouts] = []
    kept_groups = sampled_groups = attempt = 0
    while kept_groups < groups and attempt < tries:
        attempt += 1
        fresh = sample()
        good = filter(fresh)
        rest = fresh.select(~torch.isin(fresh.group_B, good.group_B))
        kept.append(good)
        dropped.append(rest)
        kept_groups += _count(good)
        sampled_groups += _count(fresh)
    if sampled_groups < groups:
        raise ValueError(f"{attempt} samples gave {sampled_groups} groups; {groups} are asked for")
    filler = max(0, groups - kept_groups)
    parts = [_first(concat(kept), groups - filler)]
    if filler:
        parts.append(_first(concat(dropped), filler))
    batch = concat(parts)
    return Collected(batch, attempt, sampled_groups, kept_groups, filler)


def _count(rollouts: Rollouts) -> int:
    return compact(rollouts.group_B)[1]


def _first(rollouts: Rollouts, groups: int) -> Rollouts:
    """The rows of the first so many groups, in order of appearance."""
    group_B, count = compact(rollouts.group_B)
    rows_B = torch.arange(len(rollouts), device=group_B.device)
    first_row: Tensor = rows_B.new_full((count,), len(rollouts)).scatter_reduce(
        0, group_B, rows_B, "amin"
    )
    rank = torch.empty_like(first_row)
    rank[first_row.argsort()] = torch.arange(count, device=group_B.device)
    return rollouts.select(rank[group_B] < groups)
