"""Packages of the extra `trackers`, imported only when a log of theirs is read."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from collapse_lab.readers.base import UnreadableLog


def tracker_module(name: str, path: Path) -> Any:
    """A module of a tracker's own package. Raises UnreadableLog that says what to install."""
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise UnreadableLog(
            f"reading {path} needs the package {package}, which is not installed: "
            "pip install 'collapse-lab[trackers]'"
        ) from error
