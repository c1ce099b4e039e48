"""Two steps of a data-parallel run: `python two_ranks.py RANK WORLD STORE`; rank 0 prints them.

Every rank draws the same rows, shows its own share of each mini-batch and has the same gradients.
"""

from __future__ import annotations

import sys

import torch
import torch.distributed as dist
from step_examples import fields_of, random_tensors

from collapse_lab.probes import Observer
from collapse_lab.trainers.clips import PerSequence


def share_of(rank: int, world: int) -> slice:
    """Whole groups, dealt out unevenly: the last rank takes what is left."""
    return slice(12 * rank, 12 * rank + 12 if rank < world - 1 else None)


def main(rank: int, world: int, store: str) -> None:
    if world > 1:
        dist.init_process_group("gloo", f"file://{store}", rank=rank, world_size=world)
    probe = Observer(lambda record: print(record.to_json()), clip=PerSequence(), clock=lambda: 1.0)
    for step in range(2):
        for mini in range(3):
            make = torch.Generator().manual_seed(10 * step + mini)
            mine = fields_of(random_tensors(10 * step + mini), share_of(rank, world))
            probe.batch(**mine)
            weight = torch.nn.Parameter(torch.ones(5))
            weight.grad = torch.randn(5, generator=make)
            with probe.update([("w", weight)]):
                torch.optim.SGD([weight], lr=0.1).step()
        probe.step(step, {"optim/lr": 0.1})
    if world > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
