"""The logger for any loop: what it survives of its process, and what it never does to it."""

from __future__ import annotations

import copy
import math
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from run_examples import only_run, program, records

import collapse_lab
from collapse_lab.store import RunReader


def test_only_rank_zero_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("SLURM_PROCID", "0")
    with collapse_lab.init(root=tmp_path, id="a") as run:
        run.log({"loss": math.nan})
        assert run.flush() and run.alarms == [] and not run.should_stop()
    assert list(tmp_path.iterdir()) == []


def test_copies_are_the_run_itself_here_and_inert_elsewhere(run: collapse_lab.Run):
    assert copy.deepcopy({"run": run})["run"] is run
    assert pickle.loads(pickle.dumps(run)) is run
    code = (
        f"import pickle; r = pickle.loads({pickle.dumps(run)!r}); r.log({{'a': 1.0}}); r.finish()"
    )
    assert program(code, run.folder).wait() == 0
    run.log({"a": 2.0})
    assert run.flush()
    assert [record.values["a"] for record in records(run.folder)] == [2.0]


def test_a_forked_child_writes_nothing_and_dies_of_sigterm_as_ever(tmp_path: Path):
    child = program(
        """
        import os, signal, time, collapse_lab
        run = collapse_lab.init(id="a")
        run.log({"a": 1.0})
        for order in ("leave", "wait"):
            child = os.fork()
            if child == 0:
                run.log({"a": 9.0}); assert run.flush(); run.finish()
                if order == "wait":
                    time.sleep(60)
                os._exit(0)
            if order == "wait":
                time.sleep(0.5)
                os.kill(child, signal.SIGTERM)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        run.log({"a": 2.0})
        """,
        tmp_path,
    )
    out, err = child.communicate(timeout=60)
    assert (out.split(), child.returncode) == (["0", "-15"], 0), err
    assert [r.values["a"] for r in records(tmp_path / "runs" / "a")] == [1.0, 2.0]


def test_sigterm_loses_nothing_and_still_kills(tmp_path: Path):
    child = program(
        """
        import time, collapse_lab
        run = collapse_lab.init()
        for step in range(500):
            run.log({"a": step}, step=step)
        print("ready", flush=True)
        time.sleep(60)
        """,
        tmp_path,
    )
    assert child.stdout and child.stdout.readline() == "ready\n"
    child.terminate()
    assert child.wait(30) == -signal.SIGTERM
    folder = only_run(tmp_path / "runs")
    assert [record.step for record in records(folder)] == list(range(500))
    assert RunReader(folder).meta["state"] == "stopped"


def test_a_program_that_handles_sigterm_keeps_its_handler(tmp_path: Path):
    code = """
        import signal, collapse_lab
        mine = lambda *_: None
        signal.signal(signal.SIGTERM, mine)
        collapse_lab.init()
        assert signal.getsignal(signal.SIGTERM) is mine
        """
    child = program(code, tmp_path)
    assert child.wait(30) == 0, child.stderr and child.stderr.read()


@pytest.mark.parametrize(
    ("ending", "state", "code"),
    [("", "finished", 0), ("1 / 0", "failed", 1), ("raise SystemExit(5)", "finished", 5)],
)
def test_a_program_that_just_ends_leaves_a_whole_run(
    tmp_path: Path, ending: str, state: str, code: int
):
    child = program(
        f"import collapse_lab\nrun = collapse_lab.init()\nrun.log({{'a': 1.0}})\n{ending}", tmp_path
    )
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (code, ""), err
    folder = only_run(tmp_path / "runs")
    assert RunReader(folder).meta["state"] == state
    assert RunReader(folder).frame()["a"].to_list() == [1.0]
    assert (folder / "records.parquet").exists()


def test_importing_the_package_loads_nothing_heavy():
    heavy = ("torch", "transformers", "polars", "numpy", "verl", "dash")
    code = f"import sys, collapse_lab; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"
