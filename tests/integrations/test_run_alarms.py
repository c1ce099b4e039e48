"""The logger for any loop: what it does about alarms, alone and under watch."""

from __future__ import annotations

import json
import math
import threading
import time
from pathlib import Path

import pytest
from run_examples import program, records

import collapse_lab
from collapse_lab.records import Alarm, Record
from collapse_lab.store import INBOX, RUN_VARIABLE, STOP, RunReader


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
    assert json.loads(meta) == {"meta": {"config": {"lr": 1}, "planned_steps": 9}}
    assert Record.from_json(line).step == 5
    assert {path.name for path in tmp_path.iterdir()} == {INBOX, STOP}


def test_inside_watch_nothing_is_said_of_what_was_not_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(RUN_VARIABLE, str(tmp_path))
    collapse_lab.init("p").finish()
    assert json.loads((tmp_path / INBOX).read_text()) == {"meta": {"project": "p"}}


def test_a_resumed_run_is_not_stopped_by_what_stopped_it_before(tmp_path: Path):
    with collapse_lab.init(root=tmp_path, id="a") as run:
        (run.folder / STOP).touch()
        assert run.should_stop()
    with collapse_lab.init(root=tmp_path, id="a", resume=True) as run:
        assert not run.should_stop()
        (run.folder / STOP).touch()
        assert run.should_stop()


def test_who_must_act_judges_inside_watch_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(RUN_VARIABLE, str(tmp_path))
    with collapse_lab.init(stop_on="critical") as run:
        run.log({"optim/grad_norm": math.nan}, step=5)
        assert run.flush() and run.should_stop()
    assert not (tmp_path / "alarms.jsonl").exists()  # watch writes its own
