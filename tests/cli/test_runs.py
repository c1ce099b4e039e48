"""`runs`: what is there, in which state."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from collapse_lab.cli import main
from collapse_lab.records import Alarm, Record
from collapse_lab.store import RECORDS, SEALED, RunWriter

DATA = Path(__file__).parents[2] / "data"


def rows(root: Path) -> dict[str, dict[str, object]]:
    result = CliRunner().invoke(main, ["runs", "--json", str(root)])
    assert result.exit_code == 0
    return {row["run"]: row for row in map(json.loads, result.stdout.splitlines())}


def test_state_steps_and_worst_alarm_of_every_run(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "collapsed")
    for step in (1, 2, 3, 2):
        writer.append(Record(step, values={"reward/mean": 0.5}))
    writer.alarm(Alarm(2, "watch", "cusum", "", 1, (1, 1)))
    writer.alarm(Alarm(3, "critical", "non-finite", "", 3, (3, 3)))
    writer.alarm(Alarm(4, "critical", "explosion", "", 4, (4, 4)))
    writer.alarm(Alarm(5, "watch", "stuck", "", 5, (5, 5)))
    writer.finish("stopped")
    live = RunWriter(tmp_path / "live")
    found = rows(tmp_path)
    assert (found["collapsed"]["state"], found["collapsed"]["steps"]) == ("stopped", 3)
    assert found["collapsed"]["worst_alarm"] == "critical at 3 (non-finite)"
    assert (found["live"]["state"], found["live"]["worst_alarm"]) == ("running", None)
    live.finish()


def test_a_run_whose_writer_was_killed_is_lost(tmp_path: Path) -> None:
    program = (
        "import os, sys; from collapse_lab import RunWriter; RunWriter(sys.argv[1]); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "run")])
    assert rows(tmp_path)["run"]["state"] == "lost"


def test_a_running_run_that_is_silent_for_long_has_stalled(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run")
    for step in range(3):
        writer.append(Record(step, 9.0 * step, {"reward/mean": 1.0}))  # nine seconds a step
    file = tmp_path / "run" / "records.jsonl"
    for silent, state in ((80, "running"), (100, "stalled")):
        then = time.time() - silent
        os.utime(file, (then, then))
        assert rows(tmp_path)["run"]["state"] == state
    writer.finish()


def test_the_table_is_aligned_and_the_newest_run_is_first(tmp_path: Path) -> None:
    for age, name in ((7200, "old"), (5, "a-longer-name")):
        RunWriter(tmp_path / name).finish()
        for path in (tmp_path / name / "run.json", tmp_path / name / "records.jsonl"):
            then = path.stat().st_mtime - age
            os.utime(path, (then, then))
    lines = CliRunner().invoke(main, ["runs", str(tmp_path)]).stdout.splitlines()
    assert lines[0] == "RUN            STATE     STEPS  WORST ALARM  AGE"
    assert lines[1].startswith("a-longer-name  finished  0      -            ")
    assert lines[2] == "old            finished  0      -            2 h"


def test_an_empty_root_is_told_from_one_that_is_not_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["runs", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (0, f"no runs in {tmp_path}\n")
    result = CliRunner().invoke(main, ["runs", str(tmp_path / "none")])
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"there is no folder {tmp_path / 'none'}" in result.stderr


def test_steps_are_those_that_were_made_where_not_each_was_recorded(tmp_path: Path) -> None:
    for first, name in ((0, "from 0"), (16, "from 16")):
        writer = RunWriter(tmp_path / name)
        for step in range(first, 497, 16):
            writer.append(Record(step, values={"reward/mean": 0.5}))
        writer.finish()
    found = rows(tmp_path)
    assert (found["from 0"]["steps"], found["from 0"]["reached"]) == (32, 497)
    assert (found["from 16"]["steps"], found["from 16"]["reached"]) == (31, 496)
    table = CliRunner().invoke(main, ["runs", str(tmp_path)]).stdout
    assert [line.split()[3] for line in table.splitlines()[1:]] == ["496", "497"]


def test_a_run_of_which_only_the_parquet_was_kept_has_its_steps(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "kept")
    for step in range(5):
        writer.append(Record(step, values={"reward/mean": 0.5}))
    writer.finish()
    (tmp_path / "kept" / RECORDS).unlink()
    assert rows(tmp_path)["kept"]["steps"] == 5


def test_runs_that_cannot_be_read_hide_no_other_and_say_why(tmp_path: Path) -> None:
    names = ("empty", "folder", "list", "parquet", "whole")
    for name in names:
        writer = RunWriter(tmp_path / name)
        writer.append(Record(1, values={"reward/mean": 0.5}))
        writer.finish()
    (tmp_path / "empty" / "run.json").write_text("")
    (tmp_path / "list" / "run.json").write_text("[1]")
    (tmp_path / "folder" / RECORDS).unlink()
    (tmp_path / "folder" / RECORDS).mkdir()
    (tmp_path / "parquet" / RECORDS).unlink()
    (tmp_path / "parquet" / SEALED).write_bytes(b"torn")
    found = rows(tmp_path)
    assert (found["whole"]["state"], found["whole"]["reason"]) == ("finished", None)
    for name, reason in (
        ("empty", "run.json holds no JSON ("),
        ("list", "run.json holds no JSON object"),
        ("folder", "Is a directory"),
        ("parquet", "records.parquet is no Parquet file"),
    ):
        assert (found[name]["state"], found[name]["steps"]) == ("unreadable", None)
        assert reason in str(found[name]["reason"])
    table = CliRunner().invoke(main, ["runs", str(tmp_path)]).stdout.splitlines()
    (line,) = (line for line in table if line.startswith("folder"))
    assert line.split()[:5] == ["folder", "unreadable", "-", "-", "-"]
    assert "Is a directory" in line


@pytest.mark.parametrize("command", [["score"], ["calibrate", "--out"]])
def test_runs_that_cannot_be_read_keep_no_corpus_from_being_read(
    tmp_path: Path, command: list[str]
) -> None:
    corpus = tmp_path / "corpus"
    for name in ("empty", "list", "parquet"):
        RunWriter(corpus / name).finish()
        (corpus / name / RECORDS).unlink()
    (corpus / "empty" / "run.json").write_text("")
    (corpus / "list" / "run.json").write_text("[1]")
    (corpus / "parquet" / SEALED).write_bytes(b"torn")
    shutil.copytree(DATA / "demo" / "collapse", corpus / "whole")
    options = [*command, str(tmp_path / "c.json")] if len(command) > 1 else command
    result = CliRunner().invoke(main, [*options, str(corpus)])
    assert not isinstance(result.exception, Exception)
    for name in ("empty", "list", "parquet"):
        assert f"left out: {name}: " in result.stderr
