"""kill -9 at random moments: the short form of `python -m benchmarks.kill --tries 200`."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks.kill import attempt
from collapse_lab.store import RunReader


@pytest.mark.parametrize("number", range(10))
def test_a_killed_writer_has_lost_no_acknowledged_record(tmp_path: Path, number: int) -> None:
    outcome = attempt("writer", tmp_path / "run", random.Random(number))
    assert outcome.acknowledged > 0
    assert outcome.lost == 0
    assert outcome.continued


@pytest.mark.parametrize("target", ["relay", "observer"])
@pytest.mark.parametrize("number", range(4))
def test_the_command_outlives_either_half_of_watch(
    tmp_path: Path, target: str, number: int
) -> None:
    outcome = attempt(target, tmp_path / "run", random.Random(number))
    assert outcome.lost == 0
    assert outcome.survived
    assert outcome.continued


@pytest.mark.parametrize("number", range(4))
def test_a_watch_that_was_killed_whole_is_continued(tmp_path: Path, number: int) -> None:
    outcome = attempt("both", tmp_path / "run", random.Random(number))
    assert outcome.lost == 0
    assert outcome.continued


def test_without_its_relay_a_command_is_copied_and_watched_to_its_end(
    command: Callable[..., list[str]], tmp_path: Path, folder: Path
) -> None:
    program = """
import time
for step in range(60):
    norm = "nan" if step >= 50 else 0.5 + step % 7 / 50
    print(f"step:{step} - actor/grad_norm:{norm}", flush=True)
    time.sleep(0.05)
"""
    relay = subprocess.Popen(
        command(program), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert relay.stdout and relay.stderr
    first = relay.stdout.readline()
    time.sleep(0.5)  # what it has read but not yet passed on dies with it
    relay.kill()
    lines = [first, *relay.stdout]  # to the end of the command and of its observer
    assert [line.partition(" ")[0] for line in lines] == [f"step:{step}" for step in range(60)]
    told = relay.stderr.read()
    assert "was killed. The command goes on" in told
    assert "CRITICAL at step 50" in told
    assert [record.step for record in RunReader(folder).new()] == list(range(60))
