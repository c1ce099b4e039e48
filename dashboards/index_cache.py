"""What the index knows of each run, and the one file that it is kept in between two starts.

The file may be deleted, and one that is broken or that another version wrote is made anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from collapse_lab.dashboards.fingerprint import Fingerprint
from collapse_lab.dashboards.summary import Summary
from collapse_lab.records import Alarm

FORMAT = [
    version("collapse-lab"), *Summary.__dataclass_fields__, *Alarm.__dataclass_fields__
]  # fmt: skip
CACHE = ".collapse-lab-index.json"


@dataclass(slots=True)
class Entry:
    """A run as the index knows it. `judged` are the alarms that the app found itself, `failed` says
    why it could not judge the run, `told` is how many of the run's own alarms have been news."""

    fingerprint: Fingerprint
    summary: Summary
    judged: list[Alarm] | None = None
    failed: str = ""
    told: int = 0


def cache_file(root: Path) -> Path:
    """Where the index is kept: in the root, or in the user's cache if that cannot be written."""
    if os.access(root, os.W_OK):
        return root / CACHE
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "collapse-lab"
    base.mkdir(parents=True, exist_ok=True)
    return base / f"{str(root.resolve()).strip('/').replace('/', '%')}.json"


def load(file: Path) -> dict[str, Entry]:
    """The entries by run; none where there is no file that this version wrote."""
    try:
        kept = json.loads(file.read_text())
        if kept["format"] != FORMAT:
            return {}
        return {name: _entry(raw) for name, raw in kept["runs"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _entry(raw: Any) -> Entry:
    judged = raw["judged"]
    return Entry(
        tuple((size, when) for size, when in raw["fingerprint"]),
        Summary.from_dict(raw["summary"]),
        None if judged is None else [Alarm.from_dict(alarm) for alarm in judged],
        told=raw["summary"]["alarms"],
    )


def kept(entries: Mapping[str, Entry]) -> dict[str, Any]:
    """What the file holds of each run whose summary is ready."""
    return {
        name: {
            "fingerprint": entry.fingerprint,
            "summary": entry.summary.to_dict(),
            "judged": entry.judged and [alarm.to_dict() for alarm in entry.judged],
        }
        for name, entry in entries.items()
        if entry.summary.ready
    }


def write(file: Path, runs: Mapping[str, Any]) -> None:
    """Replaces the file in one go."""
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        partial.write_text(json.dumps({"format": FORMAT, "runs": runs}))
        partial.replace(file)
    except OSError:  # a full or read-only disk costs the next start some seconds, no more
        partial.unlink(missing_ok=True)
