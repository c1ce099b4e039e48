"""What tests of the logger for any loop share: programs that use it, and what they left."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from collapse_lab.records import Record
from collapse_lab.store import RUN, RunReader


def records(folder: Path) -> list[Record]:
    return RunReader(folder).new()


def program(code: str, cwd: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=cwd,
        env=os.environ | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def only_run(root: Path) -> Path:
    (meta,) = root.glob(f"*/{RUN}")
    return meta.parent
