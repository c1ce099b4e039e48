"""What else is in the loss or in the score: explicit terms, each with its coefficient.

B rows (turns), T response tokens; weight_BT is the weighting of the mini-batch, so that these
terms add up over micro-batches as the policy loss does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from collapse_lab.probes.segments import compact, means, sizes
from collapse_lab.trainers.rollouts import Rollouts


@dataclass(frozen=True)
class FormatPenalty:
    """Takes `coef` off the score of every invalid turn; the raw reward stays as it is.

    Invalid is a turn that breaks the required format, as in ARLArena's paper. Its code also
    counts well-formed but inadmissible actions: `of="action"`.
    """

    coef: float = 0.1
    of: Literal["format", "action"] = "format"

    def __call__(self, rollouts: Rollouts) -> Rollouts:
        valid_B = rollouts.format_valid_B if self.of == "format" else rollouts.action_valid_B
        return replace(rollouts, penalty_B=self.coef * (~valid_B).to(rollouts.reward_B))


@dataclass(frozen=True)
class ProxyReward:
    """Pays every episode for something that is not the task: a reward that can be hacked.

    `of="length"` pays for the share of `response_limit` that its responses fill on average,
    `of="brevity"` for the rest of it, `of="turns"` for the share of `turn_limit` that it spends on
    admissible actions. At most `coef`.
    """

    coef: float
    of: Literal["length", "brevity", "turns"]
    response_limit: int
    turn_limit: int

    def __call__(self, rollouts: Rollouts) -> Rollouts:
        trajectory_B, trajectories = compact(rollouts.trajectory_B)
        if self.of == "turns":
            turns_N = sizes(trajectory_B, trajectories).to(rollouts.reward_B)
            valid_B = rollouts.action_valid_B.to(rollouts.reward_B)
            share_N = means(valid_B, trajectory_B, trajectories) * turns_N / self.turn_limit
        else:
            filled_B = rollouts.mask_BT.sum(1).to(rollouts.reward_B) / self.response_limit
            share_N = means(filled_B, trajectory_B, trajectories)
            if self.of == "brevity":
                share_N = 1 - share_N
        proxy_B = self.coef * share_N[trajectory_B]
        return replace(rollouts, reward_B=rollouts.reward_B + proxy_B, proxy_B=proxy_B)


@dataclass(frozen=True)
class ReferenceKL:
    """coef * k3 from the policy to a frozen reference: delta - 1 - log delta, delta = ref / policy.

    Clamped as in ARLArena's code: the log ratio to +-20, the value to +-10 (it cannot be negative).
    """

    coef: float = 0.01
    log_bound: float = 20.0
    bound: float = 10.0

    def __call__(self, logp_BT: Tensor, rollouts: Rollouts, weight_BT: Tensor) -> Tensor:
        """The summand of the loss, a scalar."""
        if rollouts.ref_logp_BT is None:
            raise ValueError("ReferenceKL needs rollouts.ref_logp_BT: one pass of the reference")
        log_delta_BT = torch.where(rollouts.mask_BT, rollouts.ref_logp_BT - logp_BT, 0.0)
        log_delta_BT = log_delta_BT.clamp(-self.log_bound, self.log_bound)
        kl_BT = (log_delta_BT.exp() - 1 - log_delta_BT).clamp(-self.bound, self.bound)
        return self.coef * (weight_BT * kl_BT).sum()


@dataclass(frozen=True)
class EntropyBonus:
    """-coef * entropy. ARLArena's paper has none; its code's default is 1e-3."""

    coef: float = 0.0

    def __call__(self, entropy_BT: Tensor, mask_BT: Tensor, weight_BT: Tensor) -> Tensor:
        """The summand of the loss, a scalar; entropy_BT with its gradient, in nats."""
        return -self.coef * (weight_BT * torch.where(mask_BT, entropy_BT, 0.0)).sum()
