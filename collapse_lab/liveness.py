"""Whether a run still goes on: by its writer's process, and by how long it has been silent."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

FRESH_SECONDS = 900.0
"""On another host we cannot see whether a writer lives; a record this fresh says it does."""
STALLED_STEPS, STALLED_SECONDS = 10, 60.0
"""A run has stalled when it is silent for so many of its usual steps, and for a minute."""
RECENT = 200
"""Records by whose times its pace is known."""


def writer_lives(meta: Mapping[str, Any]) -> bool:
    """Whether the writer named in run.json runs here; on another host we cannot know and say no. A
    process that was given its number later, say after a reboot, is not the writer."""
    pid = meta.get("pid")
    if not isinstance(pid, int) or meta.get("host") != os.uname().nodename:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    then, now = meta.get("process_start"), start_of(pid)
    return then is None or now is None or then == now


def start_of(pid: int) -> str | None:
    """When a process began, as the boot and the clock ticks since then: two of one number differ in
    it. None where the system does not say, as on macOS. Source: Linux, proc_pid_stat(5), field 22.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    after_name = stat.rpartition(")")[2].split()  # the name may hold anything; field 3 follows it
    return f"{boot} {after_name[22 - 3]}"


def run_state(meta: Mapping[str, Any], changed: float, now: float) -> str:
    """What run.json says (running, finished, stopped, failed), "lost" when the writer of a running
    run has died, "unknown" without a state. `changed`: when its last record came, in Unix time."""
    state = str(meta.get("state", "unknown"))
    if state != "running" or writer_lives(meta):
        return state
    elsewhere = meta.get("host") != os.uname().nodename
    return state if elsewhere and now - changed < FRESH_SECONDS else "lost"


def pace_of(times: Sequence[float]) -> float | None:
    """Seconds a record of late, by the times of all records; None where fewer than two have one.

    >>> pace_of([1.0, math.nan, 3.0, 6.0, 10.0])
    3.0
    """
    known = [time for time in times[-RECENT:] if math.isfinite(time)]
    gaps = [after - before for before, after in itertools.pairwise(known)]
    return median(gaps) if gaps else None


def has_stalled(silent: float, step_seconds: float | None) -> bool:
    """Whether a running run is silent, in seconds, for longer than its pace explains.

    >>> has_stalled(90, 2.0), has_stalled(90, 30.0)
    (True, False)
    """
    return silent > max(STALLED_SECONDS, STALLED_STEPS * (step_seconds or 0.0))
