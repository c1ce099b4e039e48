"""A run of the logger, outside of whatever job the tests are in."""

from __future__ import annotations

from pathlib import Path

import pytest

import collapse_lab
from collapse_lab.store import RUN_VARIABLE


@pytest.fixture(autouse=True)
def outside_of_any_job(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (RUN_VARIABLE, "RANK", "LOCAL_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def run(tmp_path: Path):
    with collapse_lab.init("test", root=tmp_path) as run:
        yield run
