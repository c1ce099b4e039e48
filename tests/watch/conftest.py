"""Real commands under a real `collapse-lab watch`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collapse_lab.store import RunReader

COMMAND = [sys.executable, "-c", "from collapse_lab.cli import main; main()"]
Watch = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., list[str]]:
    """`collapse-lab watch` of a Python program, recording to the run folder `tmp_path/runs/run`."""

    def build(program: str, *options: object, name: str = "run") -> list[str]:
        script = tmp_path / "train.py"
        script.write_text(program)
        root = ["--root", str(tmp_path / "runs"), "--name", name]
        run = ["--", sys.executable, str(script)]
        return [*COMMAND, "watch", *root, *map(str, options), *run]

    return build


@pytest.fixture
def watch(command: Callable[..., list[str]], tmp_path: Path) -> Watch:
    """Runs it to its end, its streams captured."""

    def run(
        program: str, *options: object, **keywords: object
    ) -> subprocess.CompletedProcess[bytes]:
        settings: dict[str, object] = {"capture_output": True, "cwd": tmp_path, "timeout": 120}
        return subprocess.run(command(program, *options), **(settings | keywords))  # type: ignore[call-overload]

    return run


@pytest.fixture
def hanging_server() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The run folder."""
    return tmp_path / "runs" / "run"


def steps(folder: Path) -> list[int]:
    """The steps recorded, in order."""
    return [record.step for record in RunReader(folder).new()]


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z" and os.path.exists(f"/proc/{pid}")
