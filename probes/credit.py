"""Is there anything to learn from: rewards within their groups, and the advantages made of them."""

from __future__ import annotations

from torch import Tensor

from collapse_lab.probes.parts import Largest, Mean, Parts, Smallest, Spread
from collapse_lab.probes.segments import compact, ranges, sizes, stds
from collapse_lab.probes.tensors import StepTensors


def advantages(tensors: StepTensors) -> Parts:
    """Over response tokens."""
    if tensors.adv_N is None:
        return {}
    return {
        "credit/advantage_mean": Mean.of(tensors.adv_N),
        "credit/advantage_std": Spread.of(tensors.adv_N),
        "credit/advantage_max": Largest.of(tensors.adv_N),
        "credit/advantage_min": Smallest.of(tensors.adv_N),
    }


def rewards(tensors: StepTensors) -> Parts:
    """Raw episode rewards, each trajectory counted once; spread within groups of two or more."""
    if tensors.reward is None:
        return {}
    first_B = _first_rows(tensors)
    reward_N = tensors.reward[first_B].double()
    parts: Parts = {
        "reward/mean": Mean.of(reward_N),
        "reward/std": Spread.of(reward_N),
        "reward/max": Largest.of(reward_N),
        "reward/min": Smallest.of(reward_N),
    }
    if tensors.success is not None:
        parts["reward/success_rate"] = Mean.of(tensors.success[first_B])
    if tensors.group is not None:
        group_N, groups = compact(tensors.group[first_B])
        several = sizes(group_N, groups) > 1
        parts["reward/group_std"] = Mean.of(stds(reward_N, group_N, groups)[several])
        flat = ranges(reward_N, group_N, groups)[several] == 0
        parts["reward/zero_std_frac"] = Mean.of(flat)
    return parts


def anchors(tensors: StepTensors) -> Parts:
    """The share of turns that no other turn of their group can be compared with (GiGPO)."""
    if tensors.anchor is None or tensors.group is None:
        return {}
    anchor_B, count = compact(tensors.group, tensors.anchor)
    return {"credit/singleton_anchor_frac": Mean.of(sizes(anchor_B, count)[anchor_B] == 1)}


def filtering(*, tries: int, sampled_groups: int, kept_groups: int, filler_groups: int) -> Parts:
    """What dynamic sampling cost: fields of `collapse_lab.trainers.filters.Collected`."""
    used = min(kept_groups, sampled_groups) + filler_groups
    return {
        "credit/filter_pass_frac": Mean.ratio(kept_groups, sampled_groups),
        "credit/filter_tries": Mean.ratio(tries, 1),
        "credit/filler_frac": Mean.ratio(filler_groups, used),
    }


def _first_rows(tensors: StepTensors) -> Tensor:
    """Row numbers, one for each trajectory."""
    rows_B = tensors.mask.new_ones(len(tensors.mask)).nonzero()[:, 0]
    if tensors.episodes is None:
        return rows_B
    episode_B, count = tensors.episodes
    return rows_B.new_empty(count).scatter_reduce(0, episode_B, rows_B, "amin", include_self=False)
