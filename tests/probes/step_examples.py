"""StepTensors for the tests of the probes."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import torch

from collapse_lab.probes import StepTensors


def tensors_of(ratios: list[list[float]], advantage: list[float], **more: Any) -> StepTensors:
    """Rows of ratios new / old, one list a response, with an advantage each; old log-prob -1."""
    width = max(len(row) for row in ratios)
    mask = torch.arange(width) < torch.tensor([len(row) for row in ratios])[:, None]
    ratio = torch.tensor([row + [1e9] * (width - len(row)) for row in ratios], dtype=torch.float64)
    old_logp = torch.full(mask.shape, -1.0, dtype=torch.float64)
    return StepTensors(
        mask=mask,
        logp=old_logp + ratio.log(),
        old_logp=old_logp,
        advantage=torch.tensor(advantage, dtype=torch.float64),
        **more,
    )


def random_tensors(seed: int, *, rows: int = 48, width: int = 9, **more: Any) -> StepTensors:
    """All fields set; groups of 4 trajectories of 3 turns, in order."""
    make = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=make, dtype=torch.float64)

    def whole(high: int, *shape: int) -> torch.Tensor:
        return torch.randint(high, shape, generator=make)

    row = torch.arange(rows)
    old_logp = -normal(rows, width).abs()
    fields: dict[str, Any] = {
        "mask": torch.arange(width) < 1 + whole(width, rows, 1),
        "logp": old_logp + 0.2 * normal(rows, width),
        "old_logp": old_logp,
        "sampler_logp": old_logp + 0.05 * normal(rows, width),
        "ref_logp": old_logp + 0.3 * normal(rows, width),
        "advantage": normal(rows),
        "entropy": normal(rows, width).abs(),
        "token_ids": whole(3, rows, width),
        "group": row // 12,
        "trajectory": row // 3,
        "turn": row % 3,
        "anchor": whole(3, rows),
        "action": whole(4, rows),
        "reward": whole(2, rows // 3).double().repeat_interleave(3),
        "success": whole(2, rows // 3).bool().repeat_interleave(3),
        "format_valid": whole(5, rows) > 0,
        "action_valid": whole(3, rows) > 0,
        "truncated": whole(5, rows) == 0,
        "prompt_length": 5 + whole(5, rows),
    }
    return StepTensors(**(fields | more))


def fields_of(tensors: StepTensors, rows: Any = slice(None)) -> dict[str, Any]:
    """The tensors by name, or these rows of them, as `Observer.batch` takes them."""
    named = {field.name: getattr(tensors, field.name) for field in fields(tensors)}
    return {name: value[rows] for name, value in named.items() if isinstance(value, torch.Tensor)}
