"""verl's own `Tracking` writes console and file; both are read back exactly."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from collapse_lab.readers.reader import read
from collapse_lab.readers.verl import NULL
from collapse_lab.records import Record

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("verl") is None, reason="verl is not installed (pip install --no-deps)"
)

WRITE = """
import importlib.util, json, os, sys, types

# Only its logger: what `import verl` brings along is Ray and all that trains.
(root,) = importlib.util.find_spec("verl").submodule_search_locations
for name, folder in (("verl", root), ("verl.utils", os.path.join(root, "utils"))):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [folder]

import numpy as np
from verl.utils.tracking import Tracking

nan, inf = float("nan"), float("inf")
random = np.random.default_rng(0)
tracking = Tracking("project", "run", default_backend=["console", "file"])
steps = {}
for step in range(1, 31):
    small, wide = random.normal() * 1e-7, np.exp(random.normal() * 30)
    steps[step] = {
        "actor/entropy": np.float64(wide),
        "actor/lr": float(small),
        "actor/grad_norm": nan if step == 7 else np.float32(1 / 3),
        "actor/ppo_kl": inf if step == 8 else -inf if step == 9 else float(small),
        "critic/score/mean": int(step),
        "training/global_step": np.int64(step),
        "actor/done": bool(step % 2),
        "val-core/openai/gsm8k/acc/mean@1": np.float64(nan) if step == 10 else 0.25,
    }
    print("(TaskRunner) chatter: step", step)
    tracking.log(steps[step], step)
plain = {s: {k: str(float(v)) for k, v in d.items()} for s, d in steps.items()}
open("truth.json", "w").write(json.dumps(plain))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds what verl printed (console.log), what it wrote (run.jsonl) and what it was told."""
    folder = tmp_path_factory.mktemp("verl")
    done = subprocess.run(
        [sys.executable, "-c", WRITE],
        cwd=folder,
        env={**os.environ, "VERL_FILE_LOGGER_PATH": str(folder / "run.jsonl")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    (folder / "console.log").write_text(done.stdout)
    return folder


def truth(folder: Path) -> dict[int, dict[str, float]]:
    told: dict[str, dict[str, Any]] = json.loads((folder / "truth.json").read_text())
    return {
        int(step): {key: float(text) for key, text in values.items()}
        for step, values in told.items()
    }


def same(left: float, right: float) -> bool:
    return left == right or (math.isnan(left) and math.isnan(right))


def named(records: list[Record], sources: dict[str, str]) -> dict[int, dict[str, float]]:
    """The records under the log's own names."""
    return {
        record.step: {sources.get(name, name): value for name, value in record.values.items()}
        for record in records
    }


def test_the_console_is_read_back_exactly(folder: Path) -> None:
    records, log = read(folder / "console.log")
    assert (log.format, log.framework) == ("verl-console", "verl")
    found, told = named(records, log.assembler.names.sources), truth(folder)
    assert list(found) == list(told) == list(range(1, 31))
    for step, values in told.items():
        assert found[step].keys() == values.keys()
        wrong = {key for key, value in values.items() if not same(found[step][key], value)}
        # NumPy prints a float32 with the digits that tell float32s apart: 0.33333334.
        assert wrong <= {"actor/grad_norm"}
        assert same(found[step]["actor/grad_norm"], values["actor/grad_norm"]) or math.isclose(
            found[step]["actor/grad_norm"], values["actor/grad_norm"], rel_tol=1e-7
        )


def test_the_file_is_read_back_exactly_but_for_what_json_cannot_say(folder: Path) -> None:
    records, log = read(folder / "run.jsonl")
    assert (log.format, log.framework) == ("verl-file", "verl")
    sources = log.assembler.names.sources
    found, told = named(records, sources), truth(folder)
    assert list(found) == list(told)
    notes = {
        (record.step, sources.get(name, name)): text
        for record in records
        for name, text in record.notes.items()
    }
    for step, values in told.items():
        for key, value in values.items():
            if math.isfinite(value):
                assert math.isclose(found[step][key], value, rel_tol=1e-7)
            else:
                assert math.isnan(found[step][key])
                assert notes.pop((step, key)) == NULL
    assert not notes
