"""From parts to numbers: joined within a rank, moved to the host, joined across ranks, read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch

from collapse_lab.probes.parts import Histogram, Part, Parts


def merged(several: Iterable[Parts]) -> Parts:
    """The parts of all of them together; a name that only some have keeps what they have."""
    by_name: dict[str, list[Part]] = {}
    for parts in several:
        for name, part in parts.items():
            by_name.setdefault(name, []).append(part)
    return {name: first.joined(others) for name, (first, *others) in by_name.items()}


def on_host(parts: Parts) -> Parts:
    """The same parts on the CPU, by one transfer."""
    tensors = [tensor for part in parts.values() for _, tensor in part.tensors()]
    device = next((t.device for t in tensors if t.device.type != "cpu"), None)
    if device is None:
        return parts
    flat = torch.cat([t.reshape(-1).to(device, torch.float64) for t in tensors]).cpu()
    pieces = iter(flat.split([tensor.numel() for tensor in tensors]))

    def rebuilt(part: Part) -> Part:
        return replace(part, **{n: next(pieces).reshape(t.shape) for n, t in part.tensors()})

    return {name: rebuilt(part) for name, part in parts.items()}


def reduced(parts: Parts, process_group: Any = None) -> Parts:
    """The parts of all ranks together, on every rank, by one exchange; on the host."""
    parts = on_host(parts)
    distributed = torch.distributed
    if not (distributed.is_available() and distributed.is_initialized()):
        return parts
    everyone: list[Parts] = [{}] * distributed.get_world_size(process_group)
    distributed.all_gather_object(everyone, parts, group=process_group)
    return merged(everyone)


def read(parts: Parts) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Values and histograms of parts on the host, as a record holds them."""
    values: dict[str, float] = {}
    histograms: dict[str, list[float]] = {}
    for name, part in parts.items():
        values |= part.values(name)
        if isinstance(part, Histogram):
            histograms[name] = part.counts.tolist()
    return values, histograms
