"""The logger for any loop: what it records, what it survives and what it never does."""

from __future__ import annotations

import copy
import logging
import math
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import collapse_lab
from collapse_lab.integrations.scalars import scalars
from collapse_lab.records import RESTART, Alarm, Record
from collapse_lab.store import INBOX, RUN, RUN_VARIABLE, STOP, RunReader


@pytest.fixture(autouse=True)
def outside_of_any_job(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (RUN_VARIABLE, "RANK", "LOCAL_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def run(tmp_path: Path):
    with collapse_lab.init("test", root=tmp_path) as run:
        yield run


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


def test_numbers_of_every_kind_are_recorded_as_floats(run: collapse_lab.Run):
    torch = pytest.importorskip("torch")
    run.log(
        {
            "python": 1,
            "flag": True,
            "numpy": np.float32(0.5),
            "array of one": np.array([[2.0]]),
            "tensor": torch.tensor(0.25, requires_grad=True),
            "half": torch.tensor([3.0], dtype=torch.bfloat16),
        },
        step=7,
    )
    assert run.flush()
    (record,) = records(run.folder)
    assert record.step == 7
    assert record.values == {
        "python": 1.0,
        "flag": 1.0,
        "numpy": 0.5,
        "array of one": 2.0,
        "tensor": 0.25,
        "half": 3.0,
    }
    assert abs(record.time - time.time()) < 60


def test_what_is_not_a_number_is_left_out_and_told_once(
    run: collapse_lab.Run, caplog: pytest.LogCaptureFixture
):
    for _ in range(3):
        run.log({"x": 1.0, "text": "3.5", "none": None, "many": np.zeros(3), "odd": object()})
    assert run.flush()
    assert [record.values for record in records(run.folder)] == [{"x": 1.0}] * 3
    told = [record.message.split()[1] for record in caplog.records]
    assert told == ["'text'", "'none'", "'many'", "'odd'"]


@given(
    st.recursive(
        st.floats() | st.integers(-(2**53), 2**53) | st.booleans() | st.text(),
        lambda inner: st.dictionaries(st.text(st.characters(categories=["L"])), inner, max_size=4),
        max_leaves=20,
    )
)
def test_every_leaf_of_a_nested_dictionary_is_a_number_or_named_as_none(tree: Any):
    def leaves(node: Any) -> int:
        return sum(map(leaves, node.values())) if isinstance(node, dict) else 1

    numbers, others = scalars({"top": tree})
    assert len(numbers) + len(others) == leaves(tree)
    assert all(type(value) is float for value in numbers.values())


def test_non_finite_values_reach_the_folder(run: collapse_lab.Run):
    run.log({"a": math.nan, "b": math.inf, "c": -math.inf})
    assert run.flush()
    (record,) = records(run.folder)
    assert math.isnan(record.values["a"])
    assert (record.values["b"], record.values["c"]) == (math.inf, -math.inf)


def test_without_a_step_the_steps_count_on(run: collapse_lab.Run):
    run.log({"a": 1})
    run.log({"a": 2})
    run.log({"a": 3}, step=10)
    run.log({"a": 4})
    assert run.flush()
    assert [record.step for record in records(run.folder)] == [0, 1, 10, 11]


def test_calls_of_one_step_make_one_record(run: collapse_lab.Run):
    run.log({"a": {"x": 1.0}}, step=3)
    run.log({"b": {"y": 0.5}}, step=3)
    run.log({"a": {"x": 0.9}}, step=4)
    assert run.flush()
    first, second = records(run.folder)
    assert first.values == {"a/x": 1.0, "b/y": 0.5}
    assert second.values == {"a/x": 0.9}


def test_a_nan_is_not_replaced_by_a_later_number_of_its_step(run: collapse_lab.Run):
    run.log({"x": math.nan}, step=3)
    run.log({"x": 0.5}, step=3)
    assert run.flush()
    first, second = records(run.folder)
    assert math.isnan(first.values["x"]) and second.values["x"] == 0.5
    assert first.step == second.step == 3


def test_new_names_for_an_older_step_join_the_newest_and_say_so(run: collapse_lab.Run):
    run.log({"x": 1.0}, step=10)
    run.log({"x": 0.9}, step=11)
    run.log({"y": 0.4}, step=10)
    assert run.flush()
    _, last = records(run.folder)
    assert (last.step, last.values) == (11, {"x": 0.9, "y": 0.4})
    assert last.notes == {"y": "logged for step 10 after step 11 had begun"}


def test_a_name_stated_anew_for_an_older_step_is_a_restart(run: collapse_lab.Run):
    for step in (10, 11, 5, 6):
        run.log({"x": 1.0}, step=step)
    assert run.flush()
    found = records(run.folder)
    assert [record.step for record in found] == [10, 11, 5, 6]
    assert [RESTART in record.notes for record in found] == [False, False, True, False]


def test_what_happened_joins_the_record_of_its_step(run: collapse_lab.Run):
    run.log({"x": 1.0}, step=10)
    run.log({}, step=10, notes={"event/checkpoint": "step-10"})
    run.log({"x": 2.0}, step=11, notes={"event/intervention": "learning rate halved"})
    run.log({}, step=10, notes={"event/checkpoint": "step-10, uploaded"})  # late: the newest has it
    assert run.flush()
    assert [(r.step, r.values, r.notes) for r in records(run.folder)] == [
        (10, {"x": 1.0}, {"event/checkpoint": "step-10"}),
        (
            11,
            {"x": 2.0},
            {
                "event/intervention": "learning rate halved",
                "event/checkpoint": "step-10, uploaded",
            },
        ),
    ]


def test_names_are_translated_like_those_of_any_log(tmp_path: Path):
    with collapse_lab.init(root=tmp_path, framework="verl") as run:
        run.log({"actor/grad_norm": 2.0, "my/own": 1.0}, step=1)
    (record,) = records(run.folder)
    assert record.values == {"optim/grad_norm": 2.0, "my/own": 1.0}


def test_a_step_is_recorded_though_no_other_follows(run: collapse_lab.Run):
    run.log({"loss": 1.0}, step=1)
    deadline = time.monotonic() + 10
    while not records(run.folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [record.step for record in records(run.folder)] == [1]


def test_a_nan_gradient_is_critical_at_its_step_and_asks_to_stop(tmp_path: Path):
    told: list[Alarm] = []
    heard = threading.Event()

    def hear(alarm: Alarm) -> None:
        told.append(alarm)
        heard.set()

    with collapse_lab.init(root=tmp_path, on_alarm=hear, stop_on="critical") as run:
        for step in range(4):
            run.log({"optim/grad_norm": 1.0}, step=step)
        assert run.flush() and not run.should_stop() and run.alarms == []
        run.log({"optim/grad_norm": math.nan}, step=4)
        assert run.flush() and run.should_stop()
        (alarm,) = run.alarms
        assert (alarm.step, alarm.severity, alarm.signals) == (4, "critical", ("optim/grad_norm",))
        assert heard.wait(5) and told == [alarm]
    assert [a.step for a in RunReader(run.folder).alarms()] == [4]


def test_a_handler_that_hangs_holds_up_neither_records_nor_alarms(tmp_path: Path):
    release = threading.Event()
    run = collapse_lab.init(root=tmp_path, on_alarm=lambda _: release.wait(30))
    run.log({"optim/grad_norm": math.nan}, step=0)
    run.log({"optim/grad_norm": 1.0}, step=1)
    assert run.flush(5)
    assert len(run.alarms) == 1 and len(records(run.folder)) == 2
    release.set()
    run.finish()


def test_a_handler_may_end_the_run(tmp_path: Path):
    run = collapse_lab.init(root=tmp_path, on_alarm=lambda _: run.finish("stopped"))
    run.log({"optim/grad_norm": math.nan}, step=0)
    run.flush()
    deadline = time.monotonic() + 10
    while RunReader(run.folder).meta["state"] == "running" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert RunReader(run.folder).meta["state"] == "stopped"


def test_a_full_disk_fails_no_step_and_hides_no_alarm(tmp_path: Path):
    child = program(
        """
        import math, resource, collapse_lab
        run = collapse_lab.init(id="full")
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # no file may grow beyond
        for step in range(50):
            run.log({"optim/grad_norm": math.nan if step == 40 else 1 + step % 3})
        assert run.flush()
        print([(alarm.step, alarm.severity) for alarm in run.alarms])
        """,
        tmp_path,
    )
    out, err = child.communicate(timeout=60)
    assert (out, child.returncode) == ("[(40, 'critical')]\n", 0), err
    assert err.count("failed and the training goes on") == 1
    steps = [record.step for record in records(tmp_path / "runs" / "full")]
    assert 5 < len(steps) < 20 and steps == list(range(len(steps)))


def test_a_config_and_the_planned_steps_go_into_run_json(tmp_path: Path):
    run = collapse_lab.init("p", "n 1/2", {"lr": 1e-6, "path": Path("x")}, root=tmp_path)
    run.finish()
    meta = RunReader(run.folder).meta
    assert (meta["project"], meta["name"]) == ("p", "n 1/2")
    assert meta["config"] == {"lr": 1e-6, "path": "x"}
    assert meta["state"] == "finished" and run.id.startswith("n-1-2-")


def test_a_taken_id_is_refused_unless_it_is_resumed(tmp_path: Path):
    with collapse_lab.init(root=tmp_path, id="a") as run:
        for step in range(5):
            run.log({"loss": 1.0}, step=step)
    with pytest.raises(FileExistsError, match="resume=True"):
        collapse_lab.init(root=tmp_path, id="a")
    with pytest.raises(ValueError, match="id="):
        collapse_lab.init(root=tmp_path, resume=True)
    with collapse_lab.init(root=tmp_path, id="a", resume=True) as run:
        run.log({"loss": 1.0}, step=3)
        run.log({"loss": 1.0})
    found = records(run.folder)
    assert [record.step for record in found] == [0, 1, 2, 3, 4, 3, 4]
    assert found[5].notes == {RESTART: "step went back from 4 to 3"}


def test_only_rank_zero_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("SLURM_PROCID", "0")
    with collapse_lab.init(root=tmp_path, id="a") as run:
        run.log({"loss": math.nan})
        assert run.flush() and run.alarms == [] and not run.should_stop()
    assert list(tmp_path.iterdir()) == []


def test_a_watch_that_is_out_of_reach_does_not_keep_the_training_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv(RUN_VARIABLE, str(tmp_path / "on another machine"))
    with collapse_lab.init() as run:
        run.log({"reward/mean": 0.5})
    assert not run.should_stop() and run.alarms == []
    assert "watch is out of reach, nothing is recorded here: " in caplog.text


def test_inside_watch_records_go_to_its_inbox_and_nothing_else_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(RUN_VARIABLE, str(tmp_path))
    with collapse_lab.init(config={"lr": 1}, planned_steps=9) as run:
        run.log({"optim/grad_norm": math.nan}, step=5)
        assert run.flush()
        assert not run.should_stop()
        (tmp_path / STOP).touch()
        assert run.should_stop()
    meta, line = (tmp_path / INBOX).read_text().splitlines()
    assert '"planned_steps": 9' in meta
    assert Record.from_json(line).step == 5
    assert {path.name for path in tmp_path.iterdir()} == {INBOX, STOP}


def test_who_must_act_judges_inside_watch_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(RUN_VARIABLE, str(tmp_path))
    with collapse_lab.init(stop_on="critical") as run:
        run.log({"optim/grad_norm": math.nan}, step=5)
        assert run.flush() and run.should_stop()
    assert not (tmp_path / "alarms.jsonl").exists()  # watch writes its own


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


def test_a_log_call_after_the_end_is_ignored(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.WARNING)
    run = collapse_lab.init(root=tmp_path)
    run.finish()
    run.log({"a": 1.0})
    run.finish()
    assert records(run.folder) == [] and caplog.records == []
