"""What the updates of a step do: the gradients before them, the weights they move.

Assumes whole gradients on every rank, as after a data-parallel all-reduce.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache, reduce
from typing import Any

import torch
from torch import Tensor

from collapse_lab.probes.parts import Largest, Mean, Parts

SAMPLE = 1 << 18
"""Coordinates from which direction and step size are told: all of a small model's, evenly
strided over a large one's, so that what is kept from step to step stays small."""

ONE = torch.ones((), dtype=torch.float64)

Weights = Mapping[str, Tensor]
"""Name -> parameter, as `dict(model.named_parameters())` has them."""


class Gradients:
    """Norms of every update's gradient; direction and distance once a step."""

    def __init__(self) -> None:
        self._direction: Tensor | None = None
        self._trained: dict[str, Tensor] = {}
        self._start: Tensor | None = None

    @torch.no_grad()
    def before(self, weights: Weights) -> Parts:
        """Call before each update, with gradients complete and not yet clipped.

        Norms are for the whole model and by group (`layer_groups`). The first update of a step,
        which is the one on policy, is compared with that of the step before; no cosine where a
        gradient is exactly zero, since that has no direction.
        """
        grads = {name: w.grad for name, w in weights.items() if w.grad is not None}
        if not grads:
            raise ValueError("no parameter has a gradient: call this between backward and step")
        names, group_W = _group_index(tuple(grads))
        norms = torch._foreach_norm(list(grads.values()), 2, _wide(grads))  # pyright: ignore
        norm_W = torch.stack(norms).double()
        square_G = norm_W.new_zeros(len(names)).index_add(0, group_W.to(norm_W.device), norm_W**2)
        norm = square_G.sum().sqrt()
        parts: Parts = {"optim/grad_norm": Mean(norm, ONE), "optim/grad_norm_max": Largest(norm)}
        for group, group_norm in zip(names, square_G.sqrt(), strict=True):
            parts[f"optim/grad_norm_{group}"] = Mean(group_norm, ONE)
        if self._start is None:
            self._trained = {name: weights[name] for name in grads}
            self._start = _sample(self._trained)
            parts |= self._turn(_sample(grads))
        return parts

    @torch.no_grad()
    def end_of_step(self) -> Parts:
        """How far the updates of the step went together, as a share of the weights' norm."""
        if self._start is None:
            return {}
        moved = (_sample(self._trained) - self._start).norm() / self._start.norm()
        self._trained, self._start = {}, None
        return {"optim/update_ratio": Mean(moved.double(), ONE)}

    def _turn(self, direction: Tensor) -> Parts:
        last, self._direction = self._direction, direction
        if last is None:
            return {}
        product = direction.norm() * last.norm()
        cosine = torch.where(product > 0, direction @ last / product, 0.0)
        return {"optim/grad_cosine": Mean(cosine.double(), (product > 0).double())}

    def state_dict(self) -> dict[str, Any]:
        return {"direction": self._direction}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._direction = state["direction"]


@lru_cache(maxsize=8)
def _group_index(names: tuple[str, ...]) -> tuple[list[str], Tensor]:
    """The groups that there are, and the number of each parameter's."""
    groups = layer_groups(list(names))
    index_W = torch.zeros(len(names), dtype=torch.int64)
    for number, members in enumerate(groups.values()):
        index_W[members] = number
    return list(groups), index_W


def layer_groups(names: list[str]) -> dict[str, list[int]]:
    """Indices of the names, by where in the network the parameter is.

    "early", "middle" and "late" are thirds of the numbered layers; parameters outside of them are
    "input" before the first numbered name and "output" after it.

    >>> layer_groups(["embed.weight", "layers.0.w", "layers.1.w", "layers.2.w", "norm.weight"])
    {'input': [0], 'early': [1], 'middle': [2], 'late': [3], 'output': [4]}
    """
    numbers = [re.search(r"(?:^|\.)(\d+)\.", name) for name in names]
    depth = 1 + max((int(found[1]) for found in numbers if found), default=0)
    groups: dict[str, list[int]] = {}
    seen = False
    for index, found in enumerate(numbers):
        seen = seen or found is not None
        if found:
            group = ("early", "middle", "late")[3 * int(found[1]) // depth]
        else:
            group = "output" if seen else "input"
        groups.setdefault(group, []).append(index)
    return groups


def _wide(weights: Weights) -> torch.dtype:
    """What their sums are taken in: a norm of float16 gradients may be beyond float16."""
    return reduce(torch.promote_types, {w.dtype for w in weights.values()}, torch.float32)


def _sample(weights: Weights) -> Tensor:
    """Every k-th coordinate of every tensor, k such that at most about SAMPLE come together."""
    stride = 1 + sum(weight.numel() for weight in weights.values()) // (SAMPLE + 1)
    flat = (weight.detach().reshape(-1) for weight in weights.values())
    return torch.cat([w[::stride] if stride > 1 else w for w in flat]).to(_wide(weights))
