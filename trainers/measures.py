"""The numbers of one step, by canonical name. (Until the probes land.)"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from collapse_lab.trainers.filters import Collected
from collapse_lab.trainers.rollouts import Rollouts
from collapse_lab.trainers.tasks.base import Task


@dataclass(frozen=True, slots=True)
class Update:
    """One mini-batch: its rows, and what the policy said of them when its gradient was taken."""

    rollouts: Rollouts
    adv_B: Tensor
    log_ratio_BT: Tensor
    grad_norm: float
    loss: float


def of_rollouts(rollouts: Rollouts, task: type[Task]) -> dict[str, float]:
    mask = rollouts.mask_BT
    first = rollouts.turn_B == 0
    reward = rollouts.reward_B[first]
    solved = (reward > 0).float()
    length = mask.sum(1).float()
    values = {
        "reward/mean": reward.mean(),
        "reward/std": reward.std(),
        "reward/success_rate": solved.mean(),
        "policy/valid_frac": rollouts.format_valid_B.float().mean(),
        "policy/admissible_frac": rollouts.action_valid_B.float().mean(),
        "policy/turns_mean": torch.tensor(len(rollouts) / len(reward)),
        "length/mean": length.mean(),
        "length/trunc_frac": (length == task.response_limit).float().mean(),
    }
    for index, kind in enumerate(task.kinds):
        of_kind = solved[rollouts.task_type_B[first] == index]
        if len(of_kind):
            values[f"success/{kind}"] = of_kind.mean()
    assert rollouts.entropy_BT is not None and rollouts.ref_logp_BT is not None
    values["policy/entropy"] = rollouts.entropy_BT[mask].mean()
    delta = (rollouts.ref_logp_BT - rollouts.old_logp_BT)[mask]
    values["kl/ref"] = (delta.exp() - 1 - delta).mean()
    mismatch = (rollouts.old_logp_BT - rollouts.sampler_logp_BT)[mask].abs()
    values["mismatch/absdiff_max"] = mismatch.max()
    return {name: float(value) for name, value in values.items()}


def of_credit(rollouts: Rollouts, adv_B: Tensor, collected: Collected) -> dict[str, float]:
    first = rollouts.turn_B == 0
    reward, group = rollouts.reward_B[first], rollouts.group_B[first]
    spread = torch.stack([reward[group == g].std(unbiased=False) for g in group.unique()])
    return {
        "reward/group_std": float(spread.mean()),
        "reward/zero_std_frac": float((spread == 0).float().mean()),
        "credit/advantage_std": float(adv_B.std()),
        "credit/filter_pass_frac": collected.kept_groups / collected.sampled_groups,
        "credit/filter_tries": float(collected.tries),
    }


def of_updates(updates: Sequence[Update]) -> dict[str, float]:
    parts: list[dict[str, float]] = []
    for update in updates:
        mask = update.rollouts.mask_BT
        log_ratio = update.log_ratio_BT[mask]
        ratio = log_ratio.exp()
        weight_B = update.log_ratio_BT.sum(1).exp()
        falling = (update.adv_B[:, None] < 0).expand_as(mask)[mask]
        rising = (update.adv_B[:, None] > 0).expand_as(mask)[mask]
        parts.append(
            {
                "ratio/mean": float(ratio.mean()),
                "ratio/max": float(ratio.max()),
                "ratio/min": float(ratio.min()),
                "ratio/ess_frac": float(weight_B.sum() ** 2 / weight_B.square().sum() / len(mask)),
                "ratio/out_low_frac": float((falling & (ratio < 0.8)).float().mean()),
                "ratio/out_high_frac": float((rising & (ratio > 1.2)).float().mean()),
                "kl/old": float((ratio - 1 - log_ratio).mean()),
                "optim/grad_norm": update.grad_norm,
                "loss/pg": update.loss,
            }
        )
    extremes = {"ratio/max": max, "ratio/min": min}
    values = {name: extremes.get(name, _mean)([part[name] for part in parts]) for name in parts[0]}
    return values | {"optim/grad_norm_max": max(part["optim/grad_norm"] for part in parts)}


def _mean(numbers: Sequence[float]) -> float:
    return math.fsum(numbers) / len(numbers)
