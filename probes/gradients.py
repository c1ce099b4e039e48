"""What one optimiser step does: the gradient before it, the weights before and after it.

Assumes whole gradients on every rank, as after a data-parallel all-reduce.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from collapse_lab.probes.parts import Largest, Mean, Parts

SAMPLE = 1 << 18
"""Coordinates from which direction and step size are told: all of a small model's, evenly
strided over a large one's, so that what is kept from step to step stays small."""

Weights = Mapping[str, Tensor]
"""Name -> parameter, as `dict(model.named_parameters())` has them."""


class Gradients:
    """Remembers the last gradient, and the weights between `before` and `after` a step."""

    def __init__(self) -> None:
        self._gradient: Tensor | None = None
        self._trained: list[str] = []
        self._weights: Tensor | None = None

    @torch.no_grad()
    def before(self, weights: Weights) -> Parts:
        """Call with gradients complete, not yet clipped: norms, and the turn since last time.

        Norms are for the whole model and by group (`layer_groups`). The cosine is left out where
        a gradient is exactly zero, since that has no direction.
        """
        grads = {name: w.grad for name, w in weights.items() if w.grad is not None}
        if not grads:
            raise ValueError("no parameter has a gradient: call this between backward and step")
        norms = torch._foreach_norm(list(grads.values()))  # pyright: ignore
        square_W = torch.stack(norms).double().square()
        norm = square_W.sum().sqrt()
        parts: Parts = {
            "optim/grad_norm": Mean.ratio(norm, 1),
            "optim/grad_norm_max": Largest(norm),
        }
        for group, members in layer_groups(list(grads)).items():
            parts[f"optim/grad_norm_{group}"] = Mean.ratio(square_W[members].sum().sqrt(), 1)
        gradient = _sample(grads)
        if self._gradient is not None:
            product = gradient.norm() * self._gradient.norm()
            cosine = torch.where(product > 0, gradient @ self._gradient / product, 0.0)
            parts["optim/grad_cosine"] = Mean.ratio(cosine, product > 0)
        self._gradient, self._trained = gradient, list(grads)
        self._weights = _sample({name: weights[name] for name in grads})
        return parts

    @torch.no_grad()
    def after(self, weights: Weights) -> Parts:
        """Call after the optimiser's step: how far it went, as a share of the weights' norm."""
        if self._weights is None:
            raise ValueError("`after` goes with the `before` of the same step")
        was, self._weights = self._weights, None
        now = _sample({name: weights[name] for name in self._trained})
        return {"optim/update_ratio": Mean.ratio((now - was).norm() / was.norm(), 1)}

    def state_dict(self) -> dict[str, Any]:
        return {"gradient": self._gradient}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._gradient = state["gradient"]


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


def _sample(weights: Weights) -> Tensor:
    """Every k-th coordinate of every tensor, k such that at most about SAMPLE come together."""
    stride = 1 + sum(weight.numel() for weight in weights.values()) // (SAMPLE + 1)
    flat = (weight.detach().reshape(-1) for weight in weights.values())
    return torch.cat([w[::stride] if stride > 1 else w for w in flat])
