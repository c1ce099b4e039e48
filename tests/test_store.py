"""A run folder outlives its writer, and readers see what was acknowledged, once."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from collapse_lab.frames import from_frame, to_frame
from collapse_lab.liveness import run_state, writer_lives
from collapse_lab.readers.reader import Log
from collapse_lab.records import CHECKPOINT, INTERVENTION, NEW_RUN, RESTART, Alarm, Record, runs_of
from collapse_lab.store import (
    ALARMS,
    INBOX,
    RECORDS,
    RUN,
    SAMPLES,
    SEALED,
    Inbox,
    RunReader,
    RunWriter,
    find_runs,
    read_meta,
)

DEAD = 2**22 + 1
"""No process has this number: it is beyond the largest that Linux gives."""


def test_what_is_appended_is_read_back_in_order_and_once(tmp_path: Path) -> None:
    writer, reader = RunWriter(tmp_path / "run"), RunReader(tmp_path / "run")
    writer.append(Record(1, values={"a": 0.5}))
    writer.append(Record(2, values={"a": math.inf}))
    assert [record.values for record in reader.new()] == [{"a": 0.5}, {"a": math.inf}]
    assert reader.new() == []
    writer.append(Record(3))
    assert [record.step for record in reader.new()] == [3]


def test_the_run_file_says_who_writes_and_how_it_ended(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run", {"command": ["python", "train.py"], "planned_steps": 9})
    meta = read_meta(tmp_path / "run")
    assert meta["state"] == "running" and meta["pid"] == os.getpid()
    assert meta["command"] == ["python", "train.py"] and meta["planned_steps"] == 9
    writer.finish("failed", exit_code=7)
    assert read_meta(tmp_path / "run")["state"] == "failed"
    assert read_meta(tmp_path / "run")["exit_code"] == 7


def test_alarms_come_back_and_a_torn_one_is_left_out(tmp_path: Path) -> None:
    alarm = Alarm(5, "critical", "non-finite", "loss is nan", 5, (5, 5))
    writer = RunWriter(tmp_path)
    writer.alarm(alarm)
    with (tmp_path / ALARMS).open("a") as file:
        file.write('{"step": 6, "sev')
    assert RunReader(tmp_path).alarms() == [alarm]


def test_what_is_said_of_a_run_is_json_also_where_it_is_not_finite(tmp_path: Path) -> None:
    config = {"max_grad_norm": math.inf, "betas": (0.9, math.nan), "path": Path("x")}
    RunWriter(tmp_path, {"config": config}).sample(1, [{"reward": -math.inf}])
    Inbox(tmp_path, {"config": config})

    def refuse(token: str) -> float:
        raise AssertionError(f"{token} is not JSON")

    written = [
        json.loads((tmp_path / name).read_text(), parse_constant=refuse)
        for name in (RUN, INBOX, SAMPLES)
    ]
    kept = {"max_grad_norm": "inf", "betas": [0.9, "nan"], "path": "x"}
    assert written[0]["config"] == written[1]["meta"]["config"] == kept
    assert written[2] == {"step": 1, "samples": [{"reward": "-inf"}]}


@pytest.mark.parametrize("left", ["", '{"state": "fini', "\0\0\0"])
def test_a_torn_run_file_is_an_error_that_says_how_to_go_on(tmp_path: Path, left: str) -> None:
    RunWriter(tmp_path).append(Record(1))
    (tmp_path / RUN).write_text(left)
    with pytest.raises(ValueError, match=r"run\.json holds no JSON .* write \{\} into it to go on"):
        RunWriter(tmp_path)
    assert [record.step for record in RunReader(tmp_path).new()] == [1]
    (tmp_path / RUN).write_text("{}")
    RunWriter(tmp_path).append(Record(2))
    assert [record.step for record in RunReader(tmp_path).new()] == [1, 2]


def test_a_second_writer_is_refused_while_the_first_one_lives(tmp_path: Path) -> None:
    RunWriter(tmp_path)
    program = f"from collapse_lab import RunWriter; RunWriter({str(tmp_path)!r})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert f"is being written by process {os.getpid()}; choose another run name" in done.stderr


@pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="this system does not tell when a process began"
)
def test_a_process_that_was_given_a_dead_writer_s_number_is_not_it(tmp_path: Path) -> None:
    program = (
        "import os, sys; from collapse_lab import RunWriter; RunWriter(sys.argv[1]); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)])
    other = subprocess.Popen(["sleep", "600"])
    try:
        meta = read_meta(tmp_path) | {"pid": other.pid}
        (tmp_path / RUN).write_text(json.dumps(meta))
        assert run_state(meta, time.time(), time.time()) == "lost"
        RunWriter(tmp_path).append(Record(1))
    finally:
        other.kill()
        other.wait()
    assert read_meta(tmp_path)["pid"] == os.getpid()


def test_a_writer_of_a_version_that_did_not_say_when_it_began_is_believed(tmp_path: Path) -> None:
    RunWriter(tmp_path)
    meta = read_meta(tmp_path)
    assert writer_lives(meta)
    del meta["process_start"]
    assert writer_lives(meta)


def test_a_writer_goes_on_where_a_dead_one_was_torn_off(tmp_path: Path) -> None:
    RunWriter(tmp_path, {"name": "mine"}).append(Record(1))
    meta = read_meta(tmp_path) | {"pid": DEAD}
    (tmp_path / RUN).write_text(json.dumps(meta))
    with (tmp_path / RECORDS).open("a") as file:
        file.write('{"step": 2, "val')
    RunWriter(tmp_path).append(Record(3))
    reader = RunReader(tmp_path)
    assert [record.step for record in reader.new()] == [1, 3]
    assert reader.unreadable == 1
    assert read_meta(tmp_path)["name"] == "mine"


def test_no_acknowledged_record_is_lost_when_the_writer_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from collapse_lab import Record, RunWriter\n"
        "writer = RunWriter(sys.argv[1])\n"
        "for step in range(10**9):\n"
        "    writer.append(Record(step, values={'a': step / 7}))\n"
        "    print(step, flush=True)\n"
    )
    moments = random.Random(0)
    for attempt in range(8):
        folder = tmp_path / str(attempt)
        child = subprocess.Popen(
            [sys.executable, "-c", program, folder], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout
        acknowledged = int(child.stdout.readline())
        time.sleep(moments.uniform(0, 0.05))
        child.send_signal(signal.SIGKILL)
        lines = child.stdout.read().split("\n")
        acknowledged = max(acknowledged, *(int(line) for line in lines[:-1]), 0)
        child.wait()
        steps = [record.step for record in RunReader(folder).new()]
        assert steps == list(range(len(steps)))
        assert len(steps) > acknowledged


def test_a_frame_tells_a_nan_from_a_value_that_was_not_logged() -> None:
    frame = to_frame([Record(1, 10.0, {"a": math.nan}), Record(2, 11.0, {"b": 1.5})])
    assert frame.columns == ["step", "time", "attempt", "a", "b"]
    assert math.isnan(frame["a"][0]) and frame["a"][1] is None
    assert frame["b"].to_list() == [None, 1.5]
    assert frame.schema["step"] == pl.Int64


def test_where_attempts_overlap_the_last_one_counts_whole() -> None:
    first = [Record(1, values={"a": 1.0}), Record(2, values={"a": 2.0, "b": 2.0}), Record(3)]
    again = [Record(2, values={"a": 20.0}), Record(3, values={"a": 30.0})]
    frame = to_frame([*first, *again])
    assert frame["step"].to_list() == [1, 2, 3]
    assert frame["attempt"].to_list() == [0, 1, 1]
    assert frame["a"].to_list() == [1.0, 20.0, 30.0]
    assert "b" not in frame.columns


def test_runs_that_share_a_log_stay_apart_in_its_frame() -> None:
    records = [
        Record(step, values={"a": value}, notes={NEW_RUN: run} if step == 1 else {})
        for run, value in (("one", 1.0), ("two", 2.0))
        for step in (1, 2)
    ]
    frame = to_frame(records)
    assert frame["run"].to_list() == ["one", "one", "two", "two"]
    assert frame["attempt"].to_list() == [0, 0, 0, 0]
    assert frame["a"].to_list() == [1.0, 1.0, 2.0, 2.0]


def test_runs_that_go_on_at_once_have_their_attempts_each() -> None:
    turns = [("a", 1), ("b", 1), ("a", 2), ("b", 2), ("a", 1), ("b", 3), ("a", 2)]
    records = [
        Record(step, values={"x": float(turn)}, notes={NEW_RUN: run})
        for turn, (run, step) in enumerate(turns)
    ]
    frame = to_frame(records)
    assert frame["run"].to_list() == ["a", "a", "b", "b", "b"]
    assert frame["attempt"].to_list() == [1, 1, 0, 0, 0]
    assert frame["x"].to_list() == [4.0, 6.0, 1.0, 3.0, 5.0]
    parts = [(run, [record.step for record in part]) for run, part in runs_of(records)]
    assert parts == [("a", [1, 2, 1, 2]), ("b", [1, 2, 3])]


def test_a_sealed_run_reads_as_it_did_and_opening_it_again_breaks_the_seal(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    for step in range(3):
        writer.append(Record(step, float(step), {"a": math.nan if step == 1 else step}))
    before = RunReader(tmp_path).frame()
    writer.finish()
    assert (tmp_path / SEALED).exists()
    assert RunReader(tmp_path).frame().equals(before)
    RunWriter(tmp_path).append(Record(3, values={"a": 3.0}))
    assert not (tmp_path / SEALED).exists()
    assert RunReader(tmp_path).frame()["step"].to_list() == [0, 1, 2, 3]


def test_a_run_of_which_only_the_parquet_was_kept_goes_on_with_all_its_records(
    tmp_path: Path,
) -> None:
    writer = RunWriter(tmp_path)
    values = {"a": math.nan, "b": 0.5}
    for step in range(3):
        writer.append(Record(step, float(step), values))
    writer.finish()
    (tmp_path / RECORDS).unlink()
    RunWriter(tmp_path).append(Record(3, 3.0, values))
    assert not (tmp_path / SEALED).exists()
    expected = [Record(step, float(step), values).to_json() for step in range(4)]
    assert [record.to_json() for record in RunReader(tmp_path).new()] == expected


def test_runs_are_found_newest_first_and_other_folders_are_none(tmp_path: Path) -> None:
    for name, moment in (("old", 1000), ("new", 2000)):
        RunWriter(tmp_path / name)
        os.utime(tmp_path / name / RUN, (moment, moment))
    (tmp_path / "notes").mkdir()
    assert [folder.name for folder in find_runs(tmp_path)] == ["new", "old"]
    assert find_runs(tmp_path / "nowhere") == []


def test_a_value_named_like_a_column_gets_one_of_its_own() -> None:
    frame = to_frame([Record(7, 1.0, {"step": 99.0, "run": 3.0, "a": 0.5})])
    assert frame["step"].to_list() == [7]
    assert frame["value/step"].to_list() == [99.0] and frame["value/run"].to_list() == [3.0]


@pytest.mark.parametrize("name", ["run.json", "records.jsonl", "alarms.jsonl"])
def test_a_new_run_has_its_files_at_once(tmp_path: Path, name: str) -> None:
    RunWriter(tmp_path / "a" / "run")
    assert (tmp_path / "a" / "run" / name).exists()


FILLED = """
import resource, signal, sys
from collapse_lab.records import Record
from collapse_lab.store import RunWriter

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
writer = RunWriter(sys.argv[1])
writer.append(Record(1, values={"reward/mean": 0.5}))
size = (writer.folder / "records.jsonl").stat().st_size
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, hard))
try:
    writer.append(Record(2, values={"reward/mean": 0.5}))
except OSError:
    print("full")
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
writer.append(Record(3, values={"reward/mean": 0.5}))
"""


def test_a_line_that_a_full_disk_cut_costs_no_line_but_itself(tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = subprocess.run([sys.executable, "-c", FILLED, str(run)], capture_output=True, text=True)
    assert done.stdout == "full\n", done.stderr
    reader = RunReader(run)
    assert [record.step for record in reader.new()] == [1, 3]
    assert reader.unreadable == 1


def test_what_happened_to_a_run_outlives_its_seal(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    notes = {CHECKPOINT: "step-1", "a": "measured late"}
    writer.append(Record(1, 10.0, {"a": 1.0, "events": 2.0}, notes=notes))
    writer.append(Record(1, 10.5, notes={INTERVENTION: "lr halved"}))  # of the same step
    writer.append(Record(2, 11.0, {"a": 2.0}))
    writer.append(Record(2, 12.0, {"a": 3.0}, notes={RESTART: "step 2 was logged again"}))
    writer.finish()
    (tmp_path / "records.jsonl").unlink()
    again = from_frame(RunReader(tmp_path).frame())
    assert [record.notes for record in again] == [
        {CHECKPOINT: "step-1", INTERVENTION: "lr halved"},
        {RESTART: "step 2 was logged again"},
    ]
    assert again[0].values == {"a": 1.0, "events": 2.0} and again[1].values == {"a": 3.0}
    read = Log(tmp_path).close()
    assert [list(record.notes) for record in read] == [[CHECKPOINT, INTERVENTION], [RESTART]]


def test_the_records_of_a_frame_are_those_that_made_it() -> None:
    records = [
        Record(1, 10.0, {"loss": math.nan, "step": 7.0}),
        Record(2, math.nan, {"loss": math.inf}),
    ]
    again = from_frame(to_frame(records))
    assert [record.to_json() for record in again] == [record.to_json() for record in records]
