# ruff: noqa: E501 (the table reads better with one row a line)
"""An algorithm is four choices: which rows, what credit, how far, what weight.

`loss = -(weight_BT * clip(log_ratio_BT, adv_BT, mask_BT)).sum()` on the rows that the filter keeps.
The table holds the algorithms of ARLArena (arXiv 2602.21534) with its settings, and two later ones.
Where its paper and its code disagree the row follows the paper, and the part's docstring names the
switch for the other. One exception: Eq. 8 and Table 1 write the losses of GSPO and SAMPO with the
normaliser 1 / sum_i T_i; GSPO's own paper and ARLArena's code, which made its results, average over
responses, and so do these rows. `weigh="per_token"` is Eq. 8.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from collapse_lab.trainers.advantages import (
    ADVANTAGES,
    Advantage,
    AnchorCredit,
    EntropyCredit,
    GroupCredit,
)
from collapse_lab.trainers.clips import (
    CLIPS,
    Clip,
    ClippedWeight,
    HardClip,
    PerSequence,
    SecondMoment,
    SequenceGate,
    SequenceMask,
    SoftGate,
)
from collapse_lab.trainers.filters import FILTERS, Filter, every_group, informative_groups
from collapse_lab.trainers.rollouts import Rollouts
from collapse_lab.trainers.weighting import WEIGHS, PerBudget, Weigh, per_sequence, per_token


@dataclass(frozen=True)
class Algorithm:
    """The four choices; any of them may be replaced (`dataclasses.replace`, or `algorithm`)."""

    filter: Filter
    advantage: Advantage
    clip: Clip
    weigh: Weigh

    def recipe(self) -> dict[str, str]:
        """The choices as text that `algorithm(name, **recipe)` reads back."""
        return {column: _text(getattr(self, column)) for column in COLUMNS}


# fmt: off
#                            which rows          credit                     how far                        weight
ALGORITHMS: dict[str, Algorithm] = {
    "grpo":       Algorithm(every_group,        GroupCredit(),             HardClip(),                    per_token),
    "grpo_st":    Algorithm(every_group,        GroupCredit(),             HardClip(),                    per_sequence),
    "dr_grpo":    Algorithm(every_group,        GroupCredit(scaled=False), HardClip(),                    PerBudget()),
    "dapo":       Algorithm(informative_groups, GroupCredit(),             HardClip(),                    per_token),
    "cispo":      Algorithm(every_group,        GroupCredit(),             ClippedWeight(),               per_token),
    "sapo":       Algorithm(every_group,        GroupCredit(),             SoftGate(),                    per_token),
    "gspo":       Algorithm(every_group,        GroupCredit(),             PerSequence(),                 per_sequence),
    "gigpo":      Algorithm(every_group,        AnchorCredit(),            HardClip(),                    per_token),
    "empg":       Algorithm(every_group,        EntropyCredit(),           HardClip(),                    per_token),
    "dapo_gigpo": Algorithm(informative_groups, AnchorCredit(),            HardClip(),                    per_token),
    "sampo":      Algorithm(informative_groups, AnchorCredit(),            PerSequence(),                 per_sequence),
    "grpo_sm":    Algorithm(every_group,        GroupCredit(),             SequenceMask(HardClip()),      per_token),
    "cispo_sm":   Algorithm(every_group,        GroupCredit(),             SequenceMask(ClippedWeight()), per_token),
    "sapo_sm":    Algorithm(every_group,        GroupCredit(),             SequenceMask(SoftGate()),      per_token),
    "m2po":       Algorithm(every_group,        GroupCredit(),             SecondMoment(),                per_token),
    "vespo":      Algorithm(every_group,        GroupCredit(),             SequenceGate(),                per_token),
}
# fmt: on

COLUMNS: dict[str, Mapping[str, Any]] = {
    "filter": FILTERS,
    "advantage": ADVANTAGES,
    "clip": CLIPS,
    "weigh": WEIGHS,
}
"""What each column can be set to, by name."""


def algorithm(name: str, **overrides: Filter | Advantage | Clip | Weigh | str) -> Algorithm:
    """A row of the table with some columns replaced.

    An override is a part, its name ("soft_gate") or a call in text, nested at will:
    "sequence_mask(hard_clip(0.2, high=0.3), delta=0.01)". ValueError names what is possible.
    """
    if name not in ALGORITHMS:
        raise ValueError(f"no algorithm {name!r}; there are {', '.join(ALGORITHMS)}")
    parts: dict[str, Any] = {}
    for column, choice in overrides.items():
        if column not in COLUMNS:
            raise ValueError(f"an algorithm has no {column!r}; it has {', '.join(COLUMNS)}")
        parts[column] = _parse(column, choice) if isinstance(choice, str) else choice
    return replace(ALGORITHMS[name], **parts)


def log_ratio(logp_BT: Tensor, rollouts: Rollouts) -> Tensor:
    """new - old, 0 on padding whatever stands there."""
    return torch.where(rollouts.mask_BT, logp_BT - rollouts.old_logp_BT, 0.0)


def policy_loss(
    algorithm: Algorithm, logp_BT: Tensor, rollouts: Rollouts, adv_B: Tensor, weight_BT: Tensor
) -> Tensor:
    """The loss of these rows, a scalar; the losses of micro-batches sum to the mini-batch's.

    `adv_B` comes from the whole filtered batch and `weight_BT` from the whole mini-batch's mask.
    """
    mask_BT = rollouts.mask_BT
    adv_BT = adv_B[:, None].expand_as(logp_BT)
    gain_BT = algorithm.clip(log_ratio(logp_BT, rollouts), adv_BT, mask_BT)
    return -(weight_BT * gain_BT).sum()


def _text(part: object) -> str:
    return getattr(part, "__name__", None) or repr(part)


def _parse(column: str, text: str) -> Any:
    """The part that this text names; a class by its bare name takes its defaults."""
    try:
        part = _evaluate(COLUMNS[column], ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, TypeError, ValueError) as error:
        raise ValueError(
            f"{column}={text!r}: {error}; possible are {', '.join(COLUMNS[column])}"
        ) from error
    return part


def _evaluate(names: Mapping[str, Any], node: ast.expr) -> Any:
    if isinstance(node, ast.Name):
        part = _lookup(names, node.id)
        return part() if isinstance(part, type) else part
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        named = {word.arg: _evaluate(names, word.value) for word in node.keywords if word.arg}
        return _lookup(names, node.func.id)(*(_evaluate(names, a) for a in node.args), **named)
    return ast.literal_eval(node)


def _lookup(names: Mapping[str, Any], written: str) -> Any:
    """The part of this name, in snake_case or as its class is called."""
    for name, part in names.items():
        if name.replace("_", "") == written.replace("_", "").lower():
            return part
    raise ValueError(f"{written!r} is not among them")
