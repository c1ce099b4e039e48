"""What the probes cost our loop: time and memory of a step with them and without.

    python -m benchmarks.probe_cost [--pairs 60] [--algorithm grpo]

Two trainings of the household recipe with the same seed do bit for bit the same work, one of them
with its probes taken out. Their steps alternate, and each pair of equal steps gives a ratio of CPU
times. The time inside of the probes is measured too: less noise, but blind to what they do to
caches. Memory is the resident set's peak in fresh processes, and the peak of all live tensors.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from benchmarks.cache import folder
from benchmarks.stepping import median_interval, ours, without_probes
from collapse_lab.probes.attach import Observer
from collapse_lab.probes.gradients import Gradients
from collapse_lab.scoring.markdown import percent, plain, table_of
from collapse_lab.trainers import loop
from collapse_lab.trainers.recipes import Recipe, recipe

TRAINED = ("eval_every=1000000", "eval_episodes=1")
"""One step is like another: the evaluations at both ends, which no probe sees, are made small."""
MEMORY_STEPS, REPEATS = 12, 3
INSIDE: tuple[tuple[Any, str], ...] = (
    (loop, "sampled_tensors"),
    (loop, "trained_tensors"),
    (loop, "success_by_kind"),
    (loop, "cost_of"),
    (Observer, "show"),
    (Observer, "add"),
    (Observer, "batch"),
    (Observer, "step"),
    (Gradients, "before"),
)
"""All that is called for the record alone; `Observer.show` itself calls `add`."""


def setting(algorithm: str, steps: int = 100_000) -> Recipe:
    return recipe("household", algorithm, 0, (*TRAINED, f"steps={steps}"))


def paired(algorithm: str, pairs: int, cache: Path) -> tuple[list[float], list[float]]:
    """CPU seconds of steps with probes and of the same steps without; the first is left out."""
    on, off = ours(setting(algorithm), cache), ours(setting(algorithm), cache)
    with_probes: list[float] = []
    without: list[float] = []
    for number in range(1 + pairs):
        for probes in (True, False) if number % 2 else (False, True):
            if probes:
                with_probes.append(on.step().cpu)
            else:
                with without_probes():
                    without.append(off.step().cpu)
    return with_probes[1:], without[1:]


def inside(algorithm: str, steps: int, cache: Path) -> list[float]:
    """The probes' CPU seconds over those of the rest of the step, a step."""
    spent, depth = 0.0, 0

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal spent, depth
            began, depth = time.process_time(), depth + 1
            result = function(*arguments, **named)
            depth -= 1
            spent += (time.process_time() - began) * (depth == 0)
            return result

        return call

    for owner, name in INSIDE:
        setattr(owner, name, timed(getattr(owner, name)))
    stepped = ours(setting(algorithm), cache)
    stepped.step()
    shares: list[float] = []
    for _ in range(steps):
        spent = 0.0
        whole = stepped.step().cpu
        shares.append(spent / (whole - spent))
    return shares


def peak_memory(algorithm: str, probes: bool, cache: Path) -> tuple[float, float]:
    """MB: the resident set's peak after some steps, the peak of live tensors in two more."""
    with nullcontext() if probes else without_probes():
        loop.train(setting(algorithm, MEMORY_STEPS), lambda record: None, cache=cache)
        resident = _high_water() / 2**10
        with torch.profiler.profile(
            activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
        ) as profile:
            loop.train(setting(algorithm, 2), lambda record: None, cache=cache)
    # no public name: the profiler draws these events and does not hand them out
    events: list[Any] = profile.profiler.kineto_results.events()  # pyright: ignore
    changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    live = peak = 0
    for _, change in changes:
        live += change
        peak = max(peak, live)
    return resident, peak / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description="Time and memory of the probes.")
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--algorithm", default="grpo")
    parser.add_argument("--memory", choices=["with", "without"], help="of this process alone")
    given = parser.parse_args()
    torch.set_num_threads(1)
    cache = folder() / "policies"
    if given.memory:
        print(*peak_memory(given.algorithm, given.memory == "with", cache))
        return
    on, off = paired(given.algorithm, given.pairs, cache)
    ratios = [a / b - 1 for a, b in zip(on, off, strict=True)]
    shares = inside(given.algorithm, given.pairs, cache)
    lines = [
        ("CPU seconds a step", plain(statistics.median(off), 3), plain(statistics.median(on), 3)),
        ("more, by pairs of equal steps", "", _interval(ratios)),
        ("more, by the time inside of the probes", "", _interval(shares)),
    ]
    peaks = {which: _in_fresh_processes(given.algorithm, which) for which in ("without", "with")}
    for row, name in enumerate(("peak resident set, MB", "peak of live tensors, MB")):
        without, probes = peaks["without"][row], peaks["with"][row]
        more = percent(probes / without - 1, 1)
        lines.append((name, plain(without), f"{plain(probes)} (+{more})"))
    print(f"{given.algorithm} on household, {given.pairs} pairs of steps\n")
    print(table_of(("", "without probes", "with probes"), lines))


def _high_water() -> int:
    """KB. `ru_maxrss` would do, but a child starts with its parent's (Linux)."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1])


def _interval(shares: list[float]) -> str:
    middle, low, high = median_interval(shares)
    return f"{percent(middle, 2)} [{percent(low, 2)}, {percent(high, 2)}]"


def _in_fresh_processes(algorithm: str, which: str) -> list[float]:
    """Medians of what `peak_memory` says in processes of their own."""
    command = [sys.executable, "-m", "benchmarks.probe_cost", "--algorithm", algorithm]
    told = [
        subprocess.run(
            [*command, "--memory", which], check=True, text=True, stdout=subprocess.PIPE
        ).stdout
        for _ in range(REPEATS)
    ]
    return [
        statistics.median(map(float, column)) for column in zip(*map(str.split, told), strict=True)
    ]


if __name__ == "__main__":
    main()
