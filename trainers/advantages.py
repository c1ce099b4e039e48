"""What credit: one advantage per turn, from the rewards of its group.

All of them read `score_B`, the episode's reward less the turn's own format penalty. B rows
(turns); a group is the rollouts of one task, an anchor group the turns of one group that began
from the same observation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from collapse_lab.probes.segments import compact, means, ranges, sizes, stds
from collapse_lab.trainers.rollouts import Rollouts

Advantage = Callable[[Rollouts], Tensor]
"""Rollouts -> adv_B, without gradient."""

EPSILON = 1e-6
"""Added to a standard deviation before dividing by it, as in GRPO's codes."""


@dataclass(frozen=True)
class GroupCredit:
    """GRPO (2402.03300): (score - mean of the group) / (unbiased std of the group + 1e-6).

    `scaled=False` leaves out the division (Dr. GRPO, 2503.20783). Mean and std are over the
    group's trajectories, each counted once, with the mean of its turns' scores. ARLArena's code,
    not its paper, takes them over all turns, so that long episodes weigh more: `over="turns"`.
    A group with one member has mean 0 and std 1; one whose members tie, up to rounding, has std 1
    too: what is left is the penalties of single turns, and the rounding of the mean, which a
    division by next to nothing would blow up.
    """

    scaled: bool = True
    over: Literal["trajectories", "turns"] = "trajectories"

    def __call__(self, rollouts: Rollouts) -> Tensor:
        score_B = rollouts.score_B
        group_B, groups = compact(rollouts.group_B)
        if self.over == "turns":
            return _normalised(score_B, score_B, group_B, group_B, groups, self.scaled)
        trajectory_B, trajectories = compact(rollouts.group_B, rollouts.trajectory_B)
        score_N = means(score_B, trajectory_B, trajectories)
        group_N = group_B.new_empty(trajectories).scatter(0, trajectory_B, group_B)
        return _normalised(score_B, score_N, group_B, group_N, groups, self.scaled)


@dataclass(frozen=True)
class AnchorCredit:
    """GiGPO (2505.10978): the group's advantage + omega * the step advantage.

    The step return sum_{m >= k} gamma^(m - k) r_m is compared with those of the other turns of the
    same group that saw the same observation, divided by their std ("mean_std_norm") unless
    `scaled=False` ("mean_norm"); the only turn with its observation gets 0. The format penalty is
    taken off the turn's own return, not discounted into earlier ones, as in ARLArena's code.
    """

    episode: GroupCredit = GroupCredit()
    omega: float = 1.0
    gamma: float = 0.95
    scaled: bool = True

    def __call__(self, rollouts: Rollouts) -> Tensor:
        return self.episode(rollouts) + self.omega * self.step(rollouts)

    def step(self, rollouts: Rollouts) -> Tensor:
        """The step advantage alone."""
        return_B = step_returns(rollouts, self.gamma)
        if rollouts.penalty_B is not None:
            return_B = return_B - rollouts.penalty_B
        anchor_B, anchors = compact(rollouts.group_B, rollouts.anchor_B)
        adv_B = _normalised(return_B, return_B, anchor_B, anchor_B, anchors, self.scaled)
        return torch.where(sizes(anchor_B, anchors)[anchor_B] > 1, adv_B, 0.0)


@dataclass(frozen=True)
class EntropyCredit:
    """EMPG: the group's advantage, turned up where a turn was confident (as in ARLArena's App. A).

    With H the turn's mean token entropy, min-max scaled over the batch:
    g = exp(-k H) / mean exp(-k H), f = exp(-k_next H of the next turn), 0 for a last turn;
    the advantage is g A + zeta f, less its batch mean.
    """

    episode: GroupCredit = GroupCredit()
    k: float = 1.0
    k_next: float = 1.0
    zeta: float = 0.05

    def __call__(self, rollouts: Rollouts) -> Tensor:
        if rollouts.entropy_BT is None:
            raise ValueError(
                "EntropyCredit weighs turns by their entropy, and these rollouts have no "
                "entropy_BT; compute it in the pass that recomputes old_logp_BT"
            )
        mask_BT = rollouts.mask_BT
        entropy_B = torch.where(mask_BT, rollouts.entropy_BT, 0.0).sum(1) / mask_BT.sum(1)
        low, high = entropy_B.min(), entropy_B.max()
        scaled_B = (entropy_B - low) / (high - low).clamp(min=1e-8)
        confidence_B = (-self.k * scaled_B).exp()
        entropy_NK, trajectory_B, turn_B = _by_turn(rollouts, scaled_B, missing=torch.inf)
        ahead_B = entropy_NK[trajectory_B, turn_B + 1]
        future_B = (-self.k_next * ahead_B).exp()
        adv_B = confidence_B / confidence_B.mean() * self.episode(rollouts) + self.zeta * future_B
        return adv_B - adv_B.mean()


ADVANTAGES: dict[str, Callable[..., Advantage]] = {
    "group_credit": GroupCredit,
    "anchor_credit": AnchorCredit,
    "entropy_credit": EntropyCredit,
}


def step_returns(rollouts: Rollouts, gamma: float) -> Tensor:
    """Discounted sum of the immediate rewards from each turn on, in its own trajectory."""
    reward_NK, trajectory_B, turn_B = _by_turn(rollouts, rollouts.step_reward_B, missing=0.0)
    for turn in range(reward_NK.shape[1] - 2, -1, -1):
        reward_NK[:, turn] += gamma * reward_NK[:, turn + 1]
    return reward_NK[trajectory_B, turn_B]


def _by_turn(rollouts: Rollouts, value_B: Tensor, missing: float) -> tuple[Tensor, Tensor, Tensor]:
    """Values as a table of trajectories by turns, one column to spare, and each row's place."""
    trajectory_B, trajectories = compact(rollouts.group_B, rollouts.trajectory_B)
    turn_B = rollouts.turn_B
    columns = int(turn_B.max()) + 2 if len(rollouts) else 1
    table_NK = value_B.new_full((trajectories, columns), missing)
    table_NK[trajectory_B, turn_B] = value_B
    return table_NK, trajectory_B, turn_B


def _normalised(
    value_B: Tensor, unit_N: Tensor, index_B: Tensor, index_N: Tensor, count: int, scaled: bool
) -> Tensor:
    """Values less the mean, over the std, of the units (turns or trajectories) with their index."""
    alone = sizes(index_N, count) < 2
    mean = torch.where(alone, 0.0, means(unit_N, index_N, count))
    std = stds(unit_N, index_N, count)
    tied = ranges(unit_N, index_N, count) <= EPSILON * mean.abs().clamp(min=1)
    std = torch.where(alone | tied, 1.0, std)
    centred_B = value_B - mean[index_B]
    return centred_B / (std[index_B] + EPSILON) if scaled else centred_B
