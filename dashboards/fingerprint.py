"""What tells whether a run has changed, at the cost of some calls of `stat`."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from collapse_lab.dashboards.root import READ
from collapse_lab.store import RECORDS, RUN, SAMPLES, SEALED

Fingerprint = tuple[tuple[int, int], ...]
"""Size in bytes and time in nanoseconds of each file in READ."""


def fingerprint_of(folder: Path, follow: bool = False) -> Fingerprint | None:
    """Size and time of each file, zeros for one that is not there; None when one is a link,
    or the folder, and `follow` does not say that links have been checked.

    Raises FileNotFoundError without a run.json.
    """
    if not follow and os.path.islink(folder):
        return None
    parts: list[tuple[int, int]] = []
    for file in READ:
        if file == SAMPLES:
            parts.append((0, 0))
            continue
        try:
            status = os.stat(f"{folder}/{file}", follow_symlinks=follow)
        except FileNotFoundError:
            if file == RUN:
                raise
            parts.append((0, 0))
            continue
        if stat.S_ISLNK(status.st_mode):
            return None
        parts.append((status.st_size, status.st_mtime_ns))
    return tuple(parts)


def written(fingerprint: Fingerprint) -> float:
    """When the run's records were last written, in unix seconds; without any, its run.json."""
    times = dict(zip(READ, fingerprint, strict=True))
    return (max(times[file][1] for file in (RECORDS, SEALED)) or times[RUN][1]) / 1e9
