"""What weight: how the tokens of a mini-batch add up to one loss.

Every aggregation of the literature is linear in the tokens, so it is a weight per token, made
once from the whole mini-batch's mask; micro-batches then add up exactly. B rows, T tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

Weigh = Callable[[Tensor], Tensor]
"""mask_BT -> weight_BT, 0 on padding; sums to 1 (`PerBudget`: to at most 1)."""


def per_token(mask_BT: Tensor) -> Tensor:
    """Every token alike: 1 / sum_i T_i ("token-mean"; DAPO 2503.14476; ARLArena's default)."""
    return mask_BT / mask_BT.sum()


def per_sequence(mask_BT: Tensor) -> Tensor:
    """Every response alike: 1 / (N T_i) ("seq-mean-token-mean"; GRPO 2402.03300, GSPO)."""
    length_B = mask_BT.sum(1, keepdim=True)
    return mask_BT / length_B.clamp(min=1) / (length_B > 0).sum()


@dataclass(frozen=True)
class PerBudget:
    """Every token alike by a fixed budget: 1 / (N tokens) (Dr. GRPO, 2503.20783).

    The one scheme that does not sum to 1: a batch of short responses takes a shorter step.
    `tokens` is the longest response allowed. None takes the mask's width, which is no fixed budget
    where a mini-batch is as wide as its longest response; so the loop puts its own limit there
    (`within`). ARLArena's code divides by the width without 1/N in "seq-mean-token-sum-norm", and
    with it in its Dr. GRPO mode.
    """

    tokens: int | None = None

    def within(self, limit: int) -> PerBudget:
        """With this limit where none is set."""
        return PerBudget(self.tokens or limit)

    def __call__(self, mask_BT: Tensor) -> Tensor:
        rows = (mask_BT.sum(1) > 0).sum()
        return mask_BT / (rows * (self.tokens or mask_BT.shape[1]))


WEIGHS: dict[str, Callable[..., Tensor] | type[PerBudget]] = {
    "per_token": per_token,
    "per_sequence": per_sequence,
    "per_budget": PerBudget,
}
