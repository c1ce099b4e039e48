"""Errors that a person can make or meet: a sentence and an exit code, early, and no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

DATA = Path(__file__).parents[2] / "data"
PROGRAM = [sys.executable, "-c", "from collapse_lab.cli import main; main()"]


def collapse_lab(*words: object, stdout: int | None = subprocess.PIPE) -> tuple[int, str]:
    """Exit code and standard error."""
    command = [*PROGRAM, *map(str, words)]
    done = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60)
    return done.returncode, done.stderr


def test_a_calibration_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    out = tmp_path / "none" / "c.json"
    code, told = collapse_lab("calibrate", tmp_path / "corpus", "--out", out)
    assert code == 2 and f"Invalid value for --out: there is no folder {out.parent}" in told


def test_a_claim_that_is_none_is_not_offered(tmp_path: Path) -> None:
    code, told = collapse_lab("calibrate", DATA / "demo", "--out", tmp_path / "c.json")
    assert code == 2
    assert "With these runs alpha 0.5 can be claimed for one detector alone (--detector)" in told
    command = "calibrate", DATA / "demo", "--alpha", 0.5, "--detector", "e-detector"
    assert collapse_lab(*command, "--out", tmp_path / "c.json")[0] == 0


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_is_none_is_refused(tmp_path: Path, port: int) -> None:
    pytest.importorskip("dash", reason="needs the extra dash")
    code, told = collapse_lab("dash", tmp_path, "--no-browser", "--port", port)
    assert code == 2 and "is not in the range 0<=x<=65535" in told


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
@pytest.mark.parametrize("command", ["label", "replay"])
def test_a_full_disk_is_told_in_a_sentence(command: str) -> None:
    with open("/dev/full", "w") as full:
        code, told = collapse_lab(command, DATA / "demo" / "healthy", stdout=full.fileno())
    assert (code, told) == (1, "Error: [Errno 28] No space left on device\n")
