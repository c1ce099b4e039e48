"""Two steps of a data-parallel run: `python two_ranks.py RANK WORLD STORE`; rank 0 prints them.

Every rank draws the same rows, shows its own share of each mini-batch and has the same gradients.
"""

from __future__ import annotations

import sys
from dataclasses import fields, replace

import torch
import torch.distributed as dist
from step_examples import random_tensors

from collapse_lab.probes import Observer, StepTensors
from collapse_lab.trainers.clips import PerSequence


def share_of(tensors: StepTensors, rank: int, world: int) -> StepTensors:
    """Whole groups, dealt out unevenly: the last rank takes what is left."""
    first = 12 * rank
    rows = slice(first, first + 12 if rank < world - 1 else None)
    cut = {
        field.name: value[rows]
        for field in fields(tensors)
        if isinstance(value := getattr(tensors, field.name), torch.Tensor)
    }
    return replace(tensors, **cut)


def main(rank: int, world: int, store: str) -> None:
    if world > 1:
        dist.init_process_group("gloo", f"file://{store}", rank=rank, world_size=world)
    probe = Observer(lambda record: print(record.to_json()), clip=PerSequence(), clock=lambda: 1.0)
    for step in range(2):
        for mini in range(3):
            make = torch.Generator().manual_seed(10 * step + mini)
            tensors = random_tensors(10 * step + mini, clip=PerSequence())
            probe.show(share_of(tensors, rank, world))
            weight = torch.nn.Parameter(torch.ones(5))
            weight.grad = torch.randn(5, generator=make)
            with probe.update([("w", weight)]):
                torch.optim.SGD([weight], lr=0.1).step()
        probe.step(step, {"optim/lr": 0.1})
    if world > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
