"""Two samplers on the same tasks: responses a CPU second of our own cache and of vLLM.

    .venv-vllm/bin/python -m benchmarks.samplers        (after `make test-vllm`)

A batch is that of a training step, pushing the weights included. The engines take turns, after one
batch each that compiles and warms up. The policies are untrained: their responses run to the limit.
"""

from __future__ import annotations

import statistics
import time

import torch
from torch import Generator

from collapse_lab.scoring.markdown import table_of
from collapse_lab.trainers.policy import Size, new_policy
from collapse_lab.trainers.samplers import CachedEngine, Engine, play
from collapse_lab.trainers.tasks.household import Household
from collapse_lab.trainers.vllm_engine import VLLMEngine

SIZES = (Size(heads=2), Size(layers=4, width=160, heads=5, inner=432))
TASKS_A_STEP, GROUP_SIZE, BATCHES = 8, 8, 5


def rate(engine: Engine, batch: int) -> float:
    """Responses a CPU second."""
    started = time.process_time()
    engine.synchronise()
    seeds = range(TASKS_A_STEP * batch, TASKS_A_STEP * (batch + 1))
    rollouts = play(Household, seeds, GROUP_SIZE, engine)
    return len(rollouts) / (time.process_time() - started)


def compared(size: Size) -> list[str]:
    policy = new_policy(Household, size, 0)
    engines: list[Engine] = [
        kind(policy, Generator().manual_seed(0)) for kind in (CachedEngine, VLLMEngine)
    ]
    pairs = [[rate(engine, batch) for engine in engines] for batch in range(1 + BATCHES)][1:]
    own, theirs = (statistics.median(rates) for rates in zip(*pairs, strict=True))
    ratio = statistics.median(mine / other for mine, other in pairs)
    parameters = sum(parameter.numel() for parameter in policy.parameters())
    return [f"{parameters:,}", f"{own:.0f}", f"{theirs:.0f}", f"{ratio:.1f}"]


if __name__ == "__main__":
    torch.set_num_threads(1)
    rows = [compared(size) for size in SIZES]
    print(table_of(("parameters", "own, responses/s", "vLLM, responses/s", "own / vLLM"), rows))
