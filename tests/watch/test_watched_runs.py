"""A run under watch, from the command's output to the folder, the alarm and the action."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from collapse_lab.records import RESTART
from collapse_lab.store import RunReader

Command = Callable[..., list[str]]
Watch = Callable[..., subprocess.CompletedProcess[bytes]]

TRAINING = """
import sys, time, os
def log(step, norm=None):
    norm = 0.5 + step % 7 / 50 if norm is None else norm
    reward = 0.1 + step % 5 / 50
    print(f"step:{step} - actor/grad_norm:{norm} - critic/score/mean:{reward:.3f}", flush=True)
"""
BREAKS_AT_20 = (
    TRAINING
    + """
for step in range(1, 41):
    log(step, "nan" if step >= 20 else None)
"""
)


def test_records_and_the_alarm_lie_in_the_run_folder(watch: Watch, folder: Path) -> None:
    done = watch(BREAKS_AT_20, "--planned-steps", 40)
    reader = RunReader(folder)
    records = reader.new()
    assert [record.step for record in records] == list(range(1, 41))
    assert records[0].values == {"optim/grad_norm": 0.52, "reward/mean": 0.12}
    assert abs(records[0].time - time.time()) < 300
    assert [(alarm.step, alarm.severity) for alarm in reader.alarms()] == [(20, "critical")]
    assert reader.meta["command"][-1].endswith("train.py")
    facts = {"framework": "verl", "planned_steps": 40, "state": "finished", "exit_code": 0}
    assert {name: reader.meta[name] for name in facts} == facts
    assert done.returncode == 0
    assert b"collapse-lab CRITICAL at step 20 (non-finite)\n" in done.stderr
    assert b"up to step 19: go back to a checkpoint no later than that\n" in done.stderr


def test_the_state_of_a_command_that_fails_is_failed(watch: Watch, folder: Path) -> None:
    watch(TRAINING + "log(1)\nsys.exit(9)")
    assert RunReader(folder).meta["state"] == "failed"
    assert RunReader(folder).meta["exit_code"] == 9


def test_numbers_printed_to_both_streams_are_recorded(watch: Watch, folder: Path) -> None:
    program = TRAINING + "log(1)\nsys.stdout = sys.stderr\nlog(2)\nlog(3)"
    watch(program)
    assert sorted(record.step for record in RunReader(folder).new()) == [1, 2, 3]


def test_the_configuration_that_verl_prints_is_the_run_s(watch: Watch, folder: Path) -> None:
    config = {"actor_rollout_ref": {"actor": {"clip_ratio": 0.2, "ppo_epochs": 1}}, "data": {}}
    printed = f"from pprint import pprint\npprint({config!r}, width=40)\n"
    watch(TRAINING + printed + "log(1)\nlog(2)")
    assert RunReader(folder).meta["config"] == config


def test_a_command_without_numbers_is_a_run_without_records(watch: Watch, folder: Path) -> None:
    assert watch("print('hello')").stderr == b""
    assert RunReader(folder).new() == []


def test_a_run_is_continued_under_its_name_and_says_that_it_restarted(
    watch: Watch, folder: Path
) -> None:
    watch(TRAINING + "for step in range(1, 11): log(step)")
    watch(TRAINING + "for step in range(8, 15): log(step)")
    records = RunReader(folder).new()
    assert [record.step for record in records] == [*range(1, 11), *range(8, 15)]
    assert [index for index, record in enumerate(records) if RESTART in record.notes] == [10]
    assert RunReader(folder).frame()["step"].to_list() == list(range(1, 15))


def test_the_detectors_of_a_continued_run_stand_where_they_stood(
    watch: Watch, folder: Path
) -> None:
    part = "for step in range({}, {}): log(step, 90 if step >= 60 else None)"
    watch(TRAINING + part.format(1, 32))
    watch(TRAINING + part.format(32, 64))
    # it compares with twelve values at least, and after the restart only eight have counted
    explosion = next(a for a in RunReader(folder).alarms() if a.detector == "explosion")
    assert (explosion.since, explosion.step) == (60, 62)


def test_an_alarm_is_told_once_though_the_run_is_continued(watch: Watch, folder: Path) -> None:
    watch(BREAKS_AT_20)
    again = watch(TRAINING + "for step in range(41, 45): log(step)")
    assert b"CRITICAL" not in again.stderr
    assert len(RunReader(folder).alarms()) == 1


def test_an_alarm_that_a_killed_watcher_no_longer_told_is_told_on_resuming(
    watch: Watch, folder: Path
) -> None:
    watch(TRAINING + "for step in range(1, 20): log(step)\nlog(20, 'nan')")
    (folder / "alarms.jsonl").write_text("")
    assert b"CRITICAL at step 20" in watch(TRAINING + "log(21)").stderr


def test_a_second_watch_of_a_running_run_is_refused_before_its_command_starts(
    command: Command, watch: Watch, tmp_path: Path
) -> None:
    line = command("print('ready', flush=True); import time; time.sleep(60)")
    first = subprocess.Popen(line, stdout=subprocess.PIPE, cwd=tmp_path)
    assert first.stdout and first.stdout.readline() == b"ready\n"
    second = watch("print('started')")
    assert second.returncode == 2
    assert b"is being written by process" in second.stderr
    assert second.stdout == b""
    first.terminate()
    first.wait(30)


def test_stop_ends_a_command_that_goes_on_and_exits_with_3(watch: Watch, folder: Path) -> None:
    program = BREAKS_AT_20 + "time.sleep(60)"
    done = watch(program, "--on-alarm", "stop")
    assert done.returncode == 3
    assert RunReader(folder).meta["state"] == "stopped"
    assert RunReader(folder).meta["exit_code"] == 128 + signal.SIGTERM
    assert (folder / "STOP").exists()


def test_a_command_that_does_not_hear_sigterm_is_killed_after_the_grace_period(
    watch: Watch, folder: Path
) -> None:
    program = "import signal; signal.signal(signal.SIGTERM, lambda *_: print('no', flush=True))"
    done = watch(program + BREAKS_AT_20 + "time.sleep(60)\n" * 9, "--on-alarm=stop", "--grace=1")
    assert b"no\n" in done.stdout
    assert done.returncode == 3
    assert RunReader(folder).meta["exit_code"] == 128 + signal.SIGKILL


def test_below_its_severity_an_action_does_nothing(watch: Watch) -> None:
    late = TRAINING + "for step in range(1, 60): log(step, 90 if step > 30 else None)"
    done = watch(late.replace("log(step, 90", "log(step, 0.5"), "--on-alarm=stop")
    assert b"collapse-lab watch at step" in done.stderr
    assert done.returncode == 0


def test_a_signal_is_sent_once_and_the_command_goes_on(watch: Watch) -> None:
    program = "import signal; signal.signal(signal.SIGUSR1, lambda *_: print('saving'))"
    done = watch(program + BREAKS_AT_20 + "log(41, 0.6); log(42, 'nan'); time.sleep(2)",
                 "--on-alarm=signal:USR1")  # fmt: skip
    assert done.stderr.count(b"CRITICAL") == 2
    assert done.stdout.count(b"saving\n") == 1
    assert done.stderr.count(b"collapse-lab: sending SIGUSR1, as --on-alarm says\n") == 1
    assert done.returncode == 0


def test_touch_creates_the_file_and_its_folder(watch: Watch, tmp_path: Path) -> None:
    watch(BREAKS_AT_20, f"--on-alarm=touch:{tmp_path / 'out' / 'SAVE'}")
    assert (tmp_path / "out" / "SAVE").exists()


def test_stop_ends_the_command_though_its_run_folder_is_gone(watch: Watch, folder: Path) -> None:
    program = f"import shutil; shutil.rmtree({str(folder)!r})\n" + BREAKS_AT_20 + "time.sleep(60)"
    done = watch(program, "--on-alarm", "stop")
    assert b"collapse-lab: cannot write: " in done.stderr
    assert done.returncode == 3


def test_a_hook_is_run_with_the_run_folder(watch: Watch, tmp_path: Path, folder: Path) -> None:
    watch(BREAKS_AT_20, "--hook", f'cat > {tmp_path}/alarm.json; echo "$COLLAPSE_LAB_RUN"')
    assert json.loads((tmp_path / "alarm.json").read_text())["step"] == 20
    assert (folder / "watch.log").read_text() == f"{folder}\n"  # and not among the output


def test_a_target_that_cannot_work_is_an_error_before_the_command_starts(
    watch: Watch, folder: Path
) -> None:
    pytest.importorskip("apprise")
    done = watch("print('started')", "--alert", "nosuch://there")
    assert done.returncode == 2
    assert b"apprise knows no service for nosuch://" in done.stderr
    assert done.stdout == b""
    assert not folder.exists()


OWN_END = """
import sys, time, collapse_lab
run = collapse_lab.init("test", config={"lr": 1e-6}, planned_steps=300)
for step in range(1, 301):
    print(f"step:{step} - actor/entropy:9.9", flush=True)
    run.log({"optim/grad_norm": float("nan") if step >= 20 else 0.5 + step % 7 / 50}, step=step)
    if run.should_stop():
        print("saved at", step)
        break
    time.sleep(0.05)
run.finish()
"""


def test_a_process_that_reports_itself_is_preferred_to_what_it_prints(
    watch: Watch, folder: Path
) -> None:
    done = watch(OWN_END.replace("301", "41"))
    records = RunReader(folder).new()
    assert [record.step for record in records] == list(range(1, 41))
    assert {name for record in records for name in record.values} == {"optim/grad_norm"}
    assert RunReader(folder).meta["config"] == {"lr": 1e-6}
    assert RunReader(folder).meta["planned_steps"] == 300
    assert b"CRITICAL at step 20" in done.stderr


def test_a_process_that_looks_for_the_stop_ends_by_itself_and_saves(
    watch: Watch, folder: Path
) -> None:
    done = watch(OWN_END, "--on-alarm=stop")
    assert b"saved at" in done.stdout
    assert done.returncode == 3
    assert RunReader(folder).meta["exit_code"] == 0
    assert RunReader(folder).meta["state"] == "stopped"


def test_a_command_that_ends_itself_before_it_could_be_told_was_stopped_too(
    watch: Watch, folder: Path
) -> None:
    lines = OWN_END.replace("time.sleep(0.05)", "run.flush()").splitlines()
    silent = "\n".join(line for line in lines if "actor/entropy" not in line)
    done = watch(silent, "--on-alarm=stop")
    assert done.stdout.startswith(b"saved at")
    assert done.returncode == 3
    assert RunReader(folder).meta["state"] == "stopped"


def test_what_a_killed_watcher_left_in_the_inbox_is_taken_up_on_resuming(
    watch: Watch, folder: Path
) -> None:
    watch(OWN_END.replace("301", "11"))
    lines = (folder / "records.jsonl").read_text().splitlines(keepends=True)
    (folder / "records.jsonl").write_text("".join(lines[:6]))
    watch(TRAINING + "log(11)")
    records = RunReader(folder).new()
    assert [record.step for record in records] == list(range(1, 12))
    assert [record.step for record in records if RESTART in record.notes] == [11]


def test_what_an_earlier_attempt_reported_itself_is_not_taken_up_again(
    watch: Watch, folder: Path
) -> None:
    for first, end in ((1, 6), (4, 9), (7, 12)):
        watch(OWN_END.replace("range(1, 301)", f"range({first}, {end})"))
    records = RunReader(folder).new()
    assert [record.step for record in records] == [*range(1, 6), *range(4, 9), *range(7, 12)]
    assert [index for index, record in enumerate(records) if RESTART in record.notes] == [5, 10]


def test_a_folder_that_cannot_be_written_is_told_and_the_command_goes_on(
    command: Command, tmp_path: Path
) -> None:
    # a file may not grow beyond 4 KB here, as on a full disk; run.json fits, the records do not
    program = TRAINING + "for step in range(1, 200): log(step)\nlog(200, 'nan')"
    limit = "ulimit -f 8; trap '' XFSZ; exec \"$@\""
    line = ["bash", "-c", limit, "bash", *command(program)]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, timeout=120)
    assert done.stdout.count(b"step:") == 200
    assert done.stderr.count(b"collapse-lab: cannot write: ") == 1
    assert b"CRITICAL at step 200" in done.stderr
    assert done.returncode == 0


def test_a_failure_of_the_detectors_is_told_and_the_records_go_on(
    command: Command, tmp_path: Path, folder: Path
) -> None:
    line = command(TRAINING + "for step in range(1, 31): log(step)")
    broken = (
        "import collapse_lab.detectors.panel as panel\n"
        "update = panel.Panel.update\n"
        "panel.Panel.update = lambda self, x: update(self, x) if x.step < 9 else 1 / 0\n"
    )
    line[2] = broken + line[2]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, timeout=120)
    assert done.returncode == 0
    assert done.stderr.count(b"\n") == 1
    assert (
        b"detection has failed and recording goes on without it: ZeroDivisionError" in done.stderr
    )
    assert [record.step for record in RunReader(folder).new()] == list(range(1, 31))
    assert "ZeroDivisionError" in (folder / "watch.log").read_text()


def test_a_failure_to_read_at_the_end_is_told_and_does_not_end_detection(
    command: Command, tmp_path: Path, folder: Path
) -> None:
    line = command(TRAINING + "for step in range(1, 31): log(step)")
    broken = (
        "from collapse_lab.readers.assembler import Assembler\n"
        "Assembler.flush = lambda self: [][0]\n"
    )
    line[2] = broken + line[2]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, timeout=120)
    assert done.returncode == 0
    assert done.stderr == (
        b"collapse-lab: something printed could not be read and is left out: "
        b"IndexError('list index out of range')\n"
    )
    assert [record.step for record in RunReader(folder).new()] == list(range(1, 31))


def test_an_inbox_that_cannot_be_read_is_told_once_and_what_is_printed_is_recorded(
    watch: Watch, folder: Path
) -> None:
    program = TRAINING + "os.mkdir(os.environ['COLLAPSE_LAB_RUN'] + '/inbox.jsonl')\n"
    done = watch(program + "for step in range(1, 31): log(step, 'nan' if step == 20 else None)")
    assert done.stderr.count(b"collapse-lab: cannot read what the process reports: ") == 1
    assert b"CRITICAL at step 20" in done.stderr
    assert [record.step for record in RunReader(folder).new()] == list(range(1, 31))


def test_without_the_observer_the_command_goes_on_and_one_line_says_so(
    command: Command, tmp_path: Path, folder: Path
) -> None:
    program = TRAINING + "for step in range(1, 60):\n    log(step)\n    time.sleep(0.05)"
    process: Any = subprocess.Popen(
        command(program), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    )
    process.stdout.readline()
    os.kill(RunReader(folder).meta["pid"], signal.SIGKILL)
    output, errors = process.communicate(timeout=60)
    assert output.count(b"step:") == 58
    assert errors == b"collapse-lab: the observer has died; the command goes on unwatched\n"
    assert process.returncode == 0
