"""Small rollouts for the tests of the trainers: as much as a test states, the rest neutral."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from collapse_lab.trainers.rollouts import Rollouts


def rollouts_of(
    rewards: list[float],
    *,
    group: list[int] | None = None,
    trajectory: list[int] | None = None,
    turn: list[int] | None = None,
    anchor: list[int] | None = None,
    step_reward: list[float] | None = None,
    lengths: list[int] | None = None,
    **more: Any,
) -> Rollouts:
    """One row per reward; by default one group, every row a trajectory of one turn and token."""
    rows = len(rewards)
    lengths = lengths or [1] * rows
    mask_BT = torch.arange(max(lengths, default=0)) < torch.tensor(lengths).reshape(-1, 1)
    numbers = torch.arange(rows)
    zeros_BT = torch.zeros(mask_BT.shape, dtype=torch.float64)

    def ids(given: list[int] | None, default: Tensor) -> Tensor:
        return default.clone() if given is None else torch.tensor(given, dtype=torch.int64)

    columns: dict[str, Any] = {
        "prompt_ids_BP": numbers[:, None] + 10,
        "prompt_mask_BP": torch.ones(rows, 1, dtype=torch.bool),
        "response_ids_BT": torch.ones(mask_BT.shape, dtype=torch.int64),
        "mask_BT": mask_BT,
        "sampler_logp_BT": zeros_BT,
        "old_logp_BT": zeros_BT,
        "group_B": ids(group, torch.zeros(rows, dtype=torch.int64)),
        "trajectory_B": ids(trajectory, numbers),
        "turn_B": ids(turn, torch.zeros(rows, dtype=torch.int64)),
        "anchor_B": ids(anchor, numbers),
        "action_B": numbers,
        "reward_B": torch.tensor(rewards, dtype=torch.float64),
        "step_reward_B": torch.tensor(step_reward or rewards, dtype=torch.float64),
        "format_valid_B": torch.ones(rows, dtype=torch.bool),
        "action_valid_B": torch.ones(rows, dtype=torch.bool),
        "task_type_B": torch.zeros(rows, dtype=torch.int64),
    }
    return Rollouts(**(columns | more))


def random_rollouts(seed: int = 0, *, groups: int = 3, per_group: int = 4) -> Rollouts:
    """Episodes of 1 to 4 turns and 1 to 6 tokens a turn, with shared observations and penalties.

    Ratios are wide enough for every clip to bite somewhere. The first group's rewards are equal.
    """
    make = torch.Generator().manual_seed(seed)

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high, (), generator=make))

    rows: list[tuple[int, int, int, int, float, float, int]] = []
    for trajectory in range(groups * per_group):
        group = trajectory // per_group
        solved = 0.0 if group == 0 else float(trajectory % per_group in (0, 3))
        turns = draw(1, 5)
        for turn in range(turns):
            earned = solved if turn == turns - 1 else 0.1 * draw(0, 3)
            rows.append((group, trajectory, turn, draw(0, 4), solved, earned, draw(1, 7)))
    order = torch.randperm(len(rows), generator=make).tolist()
    group, trajectory, turn, anchor, reward, earned, length = (
        list(column) for column in zip(*(rows[i] for i in order), strict=True)
    )
    shape = (len(rows), max(length))

    def normal(scale: float) -> Tensor:
        return scale * torch.randn(shape, generator=make, dtype=torch.float64)

    old_logp_BT = -normal(1.0).abs() - 0.1
    penalty_B = 0.1 * (torch.rand(len(rows), generator=make) < 0.2).double()
    return rollouts_of(
        reward,
        group=group,
        trajectory=trajectory,
        turn=turn,
        anchor=anchor,
        step_reward=earned,
        lengths=length,
        old_logp_BT=old_logp_BT,
        sampler_logp_BT=old_logp_BT + normal(0.01),
        ref_logp_BT=old_logp_BT + normal(0.3),
        entropy_BT=normal(1.0).abs(),
        penalty_B=penalty_B,
    )
