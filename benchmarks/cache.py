"""Results kept between runs of a benchmark, under keys that name everything they depend on."""

from __future__ import annotations

import hashlib
import os
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[1]


def folder() -> Path:
    """`COLLAPSE_LAB_CACHE`, or a folder in the system's temporary one. Deleting it loses time."""
    default = Path(tempfile.gettempdir()) / "collapse-lab-benchmarks"
    path = Path(os.environ.get("COLLAPSE_LAB_CACHE", default))
    path.mkdir(parents=True, exist_ok=True)
    return path


def cached(key: tuple[str, ...], compute: Callable[[], T]) -> T:
    """What `compute` gave for this key before, or gives now."""
    path = folder() / hashlib.sha256("\0".join(key).encode()).hexdigest()[:32]
    if path.exists():
        return pickle.loads(path.read_bytes())
    result = compute()
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_bytes(pickle.dumps(result))
    partial.replace(path)
    return result


def version(*sources: str) -> str:
    """Hash of source files, given as paths below the root; a folder stands for all files in it."""
    digest = hashlib.sha256()
    for source in sources:
        path = ROOT / source
        files = (
            sorted(path.rglob("*.py")) + sorted(path.rglob("*.json")) if path.is_dir() else [path]
        )
        for file in files:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
