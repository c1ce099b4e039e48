"""What the sampler hands to the trainer: one row a turn.

Shapes: B rows (turns), P prompt tokens (left-padded), T response tokens (right-padded). An
episode of K turns is K rows with one trajectory id; the rollouts of one task share a group id.
"Sequence" means one turn's response throughout, as in ARLArena (arXiv 2602.21534).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor
from torch.nn.functional import pad


@dataclass(frozen=True, kw_only=True, eq=False)
class Rollouts:
    """Turns with their log-probabilities, rewards and ids; shapes are checked on construction.

    `sampler_logp_BT` are the log-probs of the engine that drew the tokens, `old_logp_BT` the
    trainer's own for the same weights: ratios are new to old. `reward_B` is the raw reward of the
    row's whole episode, `step_reward_B` what this one turn earned, both before any penalty;
    `penalty_B` is what a format penalty takes off, and `proxy_B` the part of the reward that a
    proxy has added, which solves nothing (see terms.py). `anchor_B` is a hash of the observation,
    equal for equal observations within a group, and `action_B` one of the action, equal for all
    turns that took none.
    """

    prompt_ids_BP: Tensor
    prompt_mask_BP: Tensor
    response_ids_BT: Tensor
    mask_BT: Tensor
    sampler_logp_BT: Tensor
    old_logp_BT: Tensor
    ref_logp_BT: Tensor | None = None
    entropy_BT: Tensor | None = None
    group_B: Tensor
    trajectory_B: Tensor
    turn_B: Tensor
    anchor_B: Tensor
    action_B: Tensor
    reward_B: Tensor
    step_reward_B: Tensor
    penalty_B: Tensor | None = None
    proxy_B: Tensor | None = None
    format_valid_B: Tensor
    action_valid_B: Tensor
    task_type_B: Tensor

    def __post_init__(self) -> None:
        if self.response_ids_BT.ndim != 2 or self.prompt_ids_BP.ndim != 2:
            raise ValueError(
                "response_ids_BT and prompt_ids_BP need two dimensions, rows and tokens, but have "
                f"shapes {_shape(self.response_ids_BT)} and {_shape(self.prompt_ids_BP)}"
            )
        sizes = {"B": self.response_ids_BT.shape[0]}
        sizes |= {"P": self.prompt_ids_BP.shape[1], "T": self.response_ids_BT.shape[1]}
        for name, tensor in self._tensors():
            letters = name.rsplit("_", 1)[1]
            want = tuple(sizes[letter] for letter in letters)
            if tensor.shape != want:
                raise ValueError(f"{name} has shape {_shape(tensor)}; {letters} here is {want}")
            kind = _KINDS.get(name, "float")
            if not _IS_KIND[kind](tensor):
                raise ValueError(f"{name} must be {kind} and is {tensor.dtype}")

    def __len__(self) -> int:
        return self.response_ids_BT.shape[0]

    @property
    def score_B(self) -> Tensor:
        """What advantages are made of: the episode's reward less this turn's penalty."""
        return self.reward_B if self.penalty_B is None else self.reward_B - self.penalty_B

    @property
    def success_B(self) -> Tensor:
        """Whether the row's episode was solved: it earned more than a proxy gave."""
        return (self.reward_B if self.proxy_B is None else self.reward_B - self.proxy_B) > 0

    def checked(self) -> Rollouts:
        """Itself, once its contents make sense; call it where rollouts enter the trainer.

        Raises ValueError for an empty response, padding in the wrong place, a non-finite old
        log-prob on a token that counts, or a trajectory with two groups or two rewards.
        """
        length_B = self.mask_BT.sum(1)
        if not bool((length_B > 0).all()):
            row = int((length_B == 0).nonzero()[0])
            raise ValueError(f"row {row} has an empty response; drop it or keep its end token")
        if not torch.equal(self.mask_BT, _positions(self.mask_BT) < length_B[:, None]):
            raise ValueError("mask_BT must be right-padded: True tokens first, in every row")
        start_B = self.prompt_mask_BP.shape[1] - self.prompt_mask_BP.sum(1)
        if not torch.equal(
            self.prompt_mask_BP, _positions(self.prompt_mask_BP) >= start_B[:, None]
        ):
            raise ValueError("prompt_mask_BP must be left-padded: True tokens last, in every row")
        if not bool(self.old_logp_BT[self.mask_BT].isfinite().all()):
            raise ValueError("old_logp_BT is NaN or infinite on tokens that mask_BT keeps")
        order = torch.argsort(self.trajectory_B, stable=True)
        together = self.trajectory_B[order].diff() == 0
        for name in ("group_B", "reward_B"):
            if bool((together & (getattr(self, name)[order].diff() != 0)).any()):
                raise ValueError(f"{name} differs between turns of one trajectory")
        return self

    def select(self, rows: Tensor) -> Rollouts:
        """The rows with these indices, in that order, or where this mask is True."""
        return replace(self, **{name: tensor[rows] for name, tensor in self._tensors()})

    def batches(self, size: int, generator: torch.Generator | None = None) -> Iterator[Tensor]:
        """Row indices in batches of `size`, the last one shorter; shuffled given a generator."""
        if generator is None:
            order = torch.arange(len(self))
        else:
            order = torch.randperm(len(self), generator=generator)
        yield from order.to(self.mask_BT.device).split(size)

    def trimmed(self) -> Rollouts:
        """Without the columns that are padding in every row: micro-batches cost what they hold."""
        width = {"T": int(self.mask_BT.any(0).sum()), "P": int(self.prompt_mask_BP.any(0).sum())}
        cut = {
            name: tensor[:, : width["T"]] if name.endswith("T") else tensor[:, -width["P"] :]
            for name, tensor in self._tensors()
            if tensor.ndim == 2
        }
        return replace(self, **cut)

    def to(self, device: torch.device | str) -> Rollouts:
        return replace(self, **{name: tensor.to(device) for name, tensor in self._tensors()})

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        for field in fields(self):
            tensor = getattr(self, field.name)
            if tensor is not None:
                yield field.name, tensor


def concat(parts: Sequence[Rollouts]) -> Rollouts:
    """One batch of several; groups and trajectories of different parts stay apart.

    Ids are renumbered by shifting, pads grow to the widest part, and an optional tensor is kept
    only when every part has it.
    """
    width = {
        "P": max(part.prompt_ids_BP.shape[1] for part in parts),
        "T": max(part.response_ids_BT.shape[1] for part in parts),
    }
    shift = {"group_B": 0, "trajectory_B": 0}
    columns: dict[str, list[Tensor]] = {}
    for part in parts:
        for name, tensor in part._tensors():
            if name in shift and len(part):
                base = shift[name] - int(tensor.min())
                shift[name] += int(tensor.max() - tensor.min()) + 1
                tensor = tensor + base
            if tensor.ndim == 2:
                missing = width[name[-1]] - tensor.shape[1]
                tensor = pad(tensor, (missing, 0) if name.endswith("P") else (0, missing))
            columns.setdefault(name, []).append(tensor)
    whole = {name: torch.cat(c) for name, c in columns.items() if len(c) == len(parts)}
    return Rollouts(**whole)


def _positions(mask: Tensor) -> Tensor:
    return torch.arange(mask.shape[1], device=mask.device)


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)


_KINDS: dict[str, str] = {
    "prompt_ids_BP": "int64",
    "prompt_mask_BP": "bool",
    "response_ids_BT": "int64",
    "mask_BT": "bool",
    "group_B": "int64",
    "trajectory_B": "int64",
    "turn_B": "int64",
    "anchor_B": "int64",
    "action_B": "int64",
    "format_valid_B": "bool",
    "action_valid_B": "bool",
    "task_type_B": "int64",
}
_IS_KIND: dict[str, Callable[[Tensor], bool]] = {
    "bool": lambda tensor: tensor.dtype == torch.bool,
    "int64": lambda tensor: tensor.dtype == torch.int64,
    "float": torch.is_floating_point,
}
