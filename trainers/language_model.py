"""What the loop asks of a policy, whichever language model it is.

Shapes: B rows, S new columns, K columns in all, V tokens of the vocabulary, P prompt tokens
(left-padded), T response tokens (right-padded).
"""

# torch leaves some of its own methods (tolist, backward, step) without types
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from collapse_lab.trainers.tasks.base import Task


class Codec(Protocol):
    """How a policy reads and writes a task's words."""

    def encode(self, text: str) -> list[int]:
        """The prompt that tells this observation."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The words of a response, its end token left out."""
        ...

    def response_limit(self, task: type[Task]) -> int:
        """Most tokens of a response, the end token included."""
        ...


class Scorer(Protocol):
    """What the loop needs of a reference."""

    def token_statistics(
        self, prompt_ids_BP: Tensor, prompt_mask_BP: Tensor, response_ids_BT: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Log-prob of each response token and entropy of the choice it was, both BT, in nats."""
        ...


class LanguageModel(ABC, nn.Module):
    """Next-token logits, and a cache for drawing tokens one by one."""

    end_ids: tuple[int, ...]
    """Tokens that end a response."""
    rows_a_pass: int
    """Rows of a pass without gradients: few enough that their logits fit."""

    @abstractmethod
    def codec(self, task: type[Task]) -> Codec:
        """The policy's way with the words of this task."""

    @abstractmethod
    def empty_cache(self, rows: int, columns: int) -> Any:
        """Of this many rows and at most as many columns, for `forward`.

        Its method `rows(index_B)` keeps these rows, in this order; one may be taken several times.
        """

    @abstractmethod
    def forward(self, ids_BS: Tensor, mask_BK: Tensor, keep: int, cache: Any = None) -> Tensor:
        """Logits at the last `keep` of the new columns, (B, keep, V).

        `mask_BK` is False on padding; it covers the columns in the cache as well as the new ones.
        """

    def token_statistics(
        self, prompt_ids_BP: Tensor, prompt_mask_BP: Tensor, response_ids_BT: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Log-prob of each response token and entropy of the choice it was, both BT, in nats."""
        ids = torch.cat((prompt_ids_BP, response_ids_BT[:, :-1]), 1)
        # padding at the end is seen only by padding, so that only the prompt's is masked
        seen = torch.ones_like(response_ids_BT[:, :-1], dtype=torch.bool)
        logits = self(ids, torch.cat((prompt_mask_BP, seen), 1), keep=response_ids_BT.shape[1])
        logp_BTV = logits.log_softmax(-1)
        logp_BT = logp_BTV.gather(-1, response_ids_BT[..., None]).squeeze(-1)
        return logp_BT, -(logp_BTV.exp() * logp_BTV).sum(-1)

    def frozen(self) -> Scorer:
        """The policy as it is now, whatever training does to it."""
        return copy.deepcopy(self).requires_grad_(False)

    def trained(self) -> dict[str, nn.Parameter]:
        """The parameters that training changes, by name."""
        return {name: p for name, p in self.named_parameters() if p.requires_grad}
