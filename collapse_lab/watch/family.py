"""The command's family of processes, as far as the system shows it (Linux: /proc).

A launcher such as torchrun gives each of its workers a session of its own: signals to the
command's process group do not reach them.
"""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from pathlib import Path

PROC = Path("/proc")


def descendants(pid: int) -> list[int]:
    """The children of a process, theirs, and so on; none where the system does not say."""
    children = _children()
    found = [pid]
    for parent in found:
        found += children[parent]
    return found[1:]


def heedful(pid: int, number: int) -> list[int]:
    """The processes of a family that handle a signal: the process itself, or those of its
    descendants with no such ancestor, whose helpers are not asked."""
    children = _children()
    found: list[int] = []
    waiting = [pid]
    for one in waiting:
        if _handles(one, number):
            found.append(one)
        else:
            waiting += children[one]
    return found


def _children() -> defaultdict[int, list[int]]:
    """By parent. Source: Linux, proc_pid_stat(5), field 4."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for folder in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended since
            stat = (folder / "stat").read_text(errors="replace")
            parent = stat.rpartition(")")[2].split()[1]  # the name may hold anything
            children[int(parent)].append(int(folder.name))
    return children


def _handles(pid: int, number: int) -> bool:
    """Source: Linux, proc_pid_status(5), SigCgt."""
    try:
        status = (PROC / str(pid) / "status").read_text(errors="replace")
    except OSError:
        return False
    mask = next((line[7:] for line in status.splitlines() if line.startswith("SigCgt:")), "0")
    return bool(int(mask, 16) >> (number - 1) & 1)


def kill(pid: int, number: int) -> None:
    """Sends a signal to a process that may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
