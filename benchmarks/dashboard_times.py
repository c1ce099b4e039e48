"""How the app's benchmark takes times and memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def seconds(work: Callable[[], Any], repeats: int = 5) -> list[str]:
    """Medians of several calls, by the clock and of CPU."""
    times: list[tuple[float, float]] = []
    for _ in range(repeats):
        began = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - began[0], time.process_time() - began[1]))
    return [f"{statistics.median(column):.3f}" for column in zip(*times, strict=True)]


def peak() -> str:
    """Largest resident size of this process so far, MB. Not getrusage: what that says of a fresh
    process is that of the one which started it."""
    status = Path("/proc/self/status").read_text().splitlines()
    return f"{next(int(line.split()[1]) for line in status if line.startswith('VmHWM')) / 1e3:.0f}"
