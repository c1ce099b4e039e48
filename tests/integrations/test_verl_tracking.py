"""verl's own `Tracking` class, patched: what it prints is what we record."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from collapse_lab.readers.reader import read
from collapse_lab.store import RUN_VARIABLE, RunReader

ONLY_ITS_LOGGER = """
import importlib.util, os, sys, types
(root,) = importlib.util.find_spec("verl").submodule_search_locations
for name, folder in (("verl", root), ("verl.utils", os.path.join(root, "utils"))):
    sys.modules[name] = types.ModuleType(name)  # without their own imports: Ray and all that trains
    sys.modules[name].__path__ = [folder]
"""
STEPS = """
import numpy as np
def track(tracking):
    for step in range(1, 6):
        tracking.log({
            "actor/entropy": np.float64(0.1 * step),
            "actor/grad_norm": float("nan") if step == 4 else 1 / 3,
            "critic/score/mean": -step,
            "training/epoch": np.int64(2),
            "my/own": float("-inf"),
        }, step)
"""


def python(code: str, cwd: Path, **environment: str) -> str:
    env = {key: text for key, text in os.environ.items() if key != RUN_VARIABLE} | environment
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def expected(step: int) -> dict[str, Any]:
    return {
        "policy/entropy": pytest.approx(0.1 * step, rel=1e-15),
        "optim/grad_norm": pytest.approx(math.nan if step == 4 else 1 / 3, rel=0, nan_ok=True),
        "reward/mean": -step,
        "time/epoch": 2,
        "my/own": -math.inf,
    }


@pytest.fixture(autouse=True)
def with_verl() -> None:
    if importlib.util.find_spec("verl") is None:
        pytest.skip("verl is not installed (pip install --no-deps verl)")


def test_what_verl_tracks_is_recorded_and_still_goes_where_it_went(tmp_path: Path):
    printed = python(
        ONLY_ITS_LOGGER
        + STEPS
        + """
import collapse_lab
from verl.utils.tracking import Tracking
original, made = Tracking.log, Tracking.__init__
tracking = Tracking("project", "experiment", ["console", "file"])
with collapse_lab.watch_verl(id="run"):
    assert Tracking.log is not original
    track(tracking)
assert Tracking.log is original and Tracking.__init__ is made
tracking.log({"actor/entropy": 9.0, "my/own": 0.0}, step=6)
""",
        tmp_path,
        VERL_FILE_LOGGER_PATH=str(tmp_path / "file.jsonl"),
    )
    folder = tmp_path / "runs" / "run"
    records = RunReader(folder).new()
    assert [record.step for record in records] == [1, 2, 3, 4, 5]
    for record in records:
        assert record.values == expected(record.step)
    assert [alarm.step for alarm in RunReader(folder).alarms() if alarm.severity == "critical"] == [
        4
    ]
    assert RunReader(folder).meta["state"] == "finished"

    (tmp_path / "console.log").write_text(printed)
    from_console, log = read(tmp_path / "console.log")
    assert log.framework == "verl"
    assert [record.step for record in from_console] == [1, 2, 3, 4, 5, 6]
    for record in from_console[:5]:
        assert record.values == expected(record.step)
    file_lines = (tmp_path / "file.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in file_lines] == [1, 2, 3, 4, 5, 6]


def test_a_training_that_fails_is_marked_so_and_leaves_verl_as_it_was(tmp_path: Path):
    python(
        ONLY_ITS_LOGGER
        + """
import collapse_lab
from verl.utils.tracking import Tracking
original = Tracking.log
try:
    with collapse_lab.watch_verl(id="run"):
        Tracking("project", "experiment").log({"actor/entropy": 1.0}, step=1)
        raise RuntimeError("out of memory")
except RuntimeError:
    pass
assert Tracking.log is original
""",
        tmp_path,
    )
    assert RunReader(tmp_path / "runs" / "run").meta["state"] == "failed"


def test_verl_itself_loads_the_patch_in_every_process_of_its_own(tmp_path: Path):
    for needed in ("ray", "tensordict", "omegaconf"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"verl is installed without {needed}, so `import verl` fails")
    python(
        STEPS
        + """
from verl.utils.tracking import Tracking
track(Tracking("project", "experiment", "console", {"data": {"train_batch_size": 256}}))
""",
        tmp_path,
        VERL_USE_EXTERNAL_MODULES="collapse_lab.integrations.verl",
    )
    (folder,) = (tmp_path / "runs").iterdir()
    records = RunReader(folder).new()
    assert [record.step for record in records] == [1, 2, 3, 4, 5]
    assert records[3].values == expected(4)
    assert RunReader(folder).meta["config"] == {"data": {"train_batch_size": 256}}


def test_a_folder_that_cannot_be_written_is_told_once_and_verl_goes_on(tmp_path: Path):
    (tmp_path / "runs").touch()  # no folder, and none can be made there
    printed = python(
        ONLY_ITS_LOGGER
        + STEPS
        + """
import logging
logging.basicConfig(stream=sys.stdout, format="%(name)s: %(message)s")
import collapse_lab.integrations.verl
from verl.utils.tracking import Tracking
track(Tracking("project", "experiment", ["console"]))
""",
        tmp_path,
        VERL_USE_EXTERNAL_MODULES="collapse_lab.integrations.verl",
    )
    (line,) = [line for line in printed.splitlines() if line.startswith("collapse_lab: ")]
    assert "no run was begun, nothing is recorded: " in line and "runs" in line
    assert [f"step:{step}" in printed for step in range(1, 6)] == [True] * 5
