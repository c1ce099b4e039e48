"""`--follow`: a log that grows is watched like a command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from collapse_lab.records import NEW_RUN, RESTART, Record
from collapse_lab.store import RunReader
from collapse_lab.watch.follow import follow

LINE = "step:{step} - actor/grad_norm:{norm}\n"


def lines(first: int, last: int) -> str:
    return "".join(LINE.format(step=s, norm=0.5 + s % 7 / 50) for s in range(first, last + 1))


class Following:
    """The records of a log that is followed on a thread, as they come."""

    def __init__(self, path: Path, stored: list[Record] | None = None) -> None:
        self.records: list[Record] = []
        self.said: dict[str, None] = {}
        self.facts: dict[str, object] = {}
        self._stop = threading.Event()
        complain = self.said.setdefault  # once, as a session does
        records = follow(
            path, stored or [], self._stop, self.facts.update, complain, look_every=0.02
        )
        self._thread = threading.Thread(target=lambda: self.records.extend(records), daemon=True)
        self._thread.start()

    @property
    def steps(self) -> list[int]:
        return [record.step for record in self.records]

    def wait(self, count: int) -> list[int]:
        """The steps, once there are so many; fails after ten seconds."""
        end = time.monotonic() + 10
        while len(self.steps) < count:
            assert time.monotonic() < end, self.steps
            time.sleep(0.01)
        return self.steps

    def end(self) -> list[int]:
        """All steps, as Ctrl-C would leave them."""
        self._stop.set()
        self._thread.join(10)
        return self.steps


def test_it_waits_for_the_log_to_appear_and_to_be_recognised(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    following = Following(path)
    time.sleep(0.2)
    path.write_text("loading the model\n")
    time.sleep(0.2)
    with path.open("a") as log:
        log.write(lines(1, 3))
    assert following.wait(3) == [1, 2, 3]
    assert following.end() == [1, 2, 3]
    assert following.facts == {"framework": "verl", "format": "verl-console"}
    assert ["appear" in said for said in following.said] == [True, False]
    assert "known format" in list(following.said)[1]


def test_a_line_counts_when_it_is_whole_or_when_watching_ends(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_text(lines(1, 2) + "step:3 - actor/grad")
    following = Following(path)
    assert following.wait(2) == [1, 2]
    with path.open("a") as log:
        log.write("_norm:0.7\nstep:4 - actor/grad_norm:0.6")
    assert following.wait(3) == [1, 2, 3]
    assert following.end() == [1, 2, 3, 4]


def test_what_was_stored_before_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    path.write_text(lines(1, 5))
    stored = [Record(step, values={"optim/grad_norm": 0.5 + step % 7 / 50}) for step in (1, 2, 3)]
    following = Following(path, stored)
    assert following.wait(2) == [4, 5]
    assert following.end() == [4, 5]


def test_an_evaluation_logged_after_its_step_was_stored_is_read_once_and_kept(
    tmp_path: Path,
) -> None:
    path = tmp_path / "train.jsonl"
    rows = [{"step": 1, "reward": 0.1}, {"step": 2, "reward": 0.2}, {"step": 2, "eval/loss": 3.0}]
    rows += [{"step": 3, "reward": 0.3}, {"step": 3, "eval/loss": 4.0}, {"step": 4, "reward": 0.4}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    # the second step was quiet before its evaluation, the third was watched up to there
    rewards = {"reward/mean": 0.1}, {"reward/mean": 0.2}, {"eval/loss": 3.0}, {"reward/mean": 0.3}
    stored = [Record(step, values=v) for step, v in zip((1, 2, 2, 3), rewards, strict=True)]
    following = Following(path, stored)
    assert following.wait(1) == [3]
    assert following.end() == [3, 4]
    assert [record.values for record in following.records] == [
        {"eval/loss": 4.0},
        {"reward/mean": 0.4},
    ]


def test_a_run_that_repeats_its_steps_to_the_digit_is_read_on_where_it_was_left(
    tmp_path: Path,
) -> None:
    path = tmp_path / "train.log"
    path.write_text(lines(1, 10))
    first = Following(path)
    first.wait(10)
    with path.open("a") as log:
        log.write(lines(8, 9))
    first.wait(12)
    first.end()
    with path.open("a") as log:
        log.write(lines(10, 11) + lines(9, 10))
    second = Following(path, first.records)
    assert second.wait(4) == [10, 11, 9, 10]
    assert [record.step for record in second.records if RESTART in record.notes] == [9]
    second.end()


def test_the_runs_of_one_log_are_each_read_on_and_told_apart(tmp_path: Path) -> None:
    def measure(run: str, step: int) -> None:
        path = tmp_path / "mlruns" / "0" / run / "metrics" / "reward"
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parents[1] / "meta.yaml").write_text(f"run_name: {run}\n")
        with path.open("a") as file:
            file.write(f"1700000000000 0.{step} {step}\n")

    stored: list[Record] = []
    for step in range(1, 4):
        for run in ("a", "b"):
            measure(run, step)
        following = Following(tmp_path / "mlruns", stored)
        following.wait(1)
        following.end()
        stored += following.records
    assert [(record.step, record.notes) for record in stored] == [
        (step, {NEW_RUN: f"{run}-{run}"}) for step in range(1, 4) for run in ("a", "b")
    ]


def test_every_run_of_a_log_begins_with_what_the_log_says_of_its_setup(tmp_path: Path) -> None:
    for run, setting in (("a", "num_iterations"), ("b", None)):
        files = {"meta.yaml": f"run_name: {run}\n", "metrics/reward": "1700000000000 0.5 1\n"}
        files |= {f"params/{setting}": "4"} if setting else {}
        for name, text in files.items():
            path = tmp_path / "mlruns" / "0" / run / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    stop, heard = threading.Event(), list[object]()

    def learn(**facts: object) -> None:
        if "config" in facts:
            heard.append(facts["config"])

    for record in follow(tmp_path / "mlruns", [], stop, learn, print, look_every=0.01):
        heard.append(record.notes[NEW_RUN])
        stop.set()
    assert heard == [{"num_iterations": 4}, "a-a", {}, "b-b"]


def test_a_log_that_cannot_be_read_for_a_while_is_told_once_and_read_then(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    objects = [f'{{"step": {step}, "reward": 0.{step}}}\n' for step in range(1, 7)]
    path.write_text("".join(objects[:3]))
    following = Following(path)
    assert following.wait(2) == [1, 2]  # the third is complete when the next one begins
    path.rename(tmp_path / "train.jsonl.1")
    path.mkdir()
    time.sleep(0.2)
    path.rmdir()
    path.write_text("".join(objects[3:]))
    assert following.wait(5) == [1, 2, 3, 4, 5]
    (said,) = following.said
    assert said.startswith("cannot read the log, which is looked at again: [Errno 21] Is a dir")
    path.unlink()
    path.mkdir()
    assert following.end() == [1, 2, 3, 4, 5, 6]


def test_a_log_that_cannot_even_be_looked_for_is_waited_for(tmp_path: Path) -> None:
    following = Following(tmp_path / ("long" * 99))
    time.sleep(0.2)
    assert following.end() == []
    (said,) = following.said
    assert "File name too long" in said


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="Linux's /proc")
def test_a_text_without_metrics_is_not_read_again_while_nothing_is_added(tmp_path: Path) -> None:
    def read_so_far() -> int:
        return int(Path("/proc/self/io").read_text().split()[1])

    path = tmp_path / "train.log"
    path.write_text("loading a shard of the model\n" * 3000)
    following = Following(path)
    while not following.said:
        time.sleep(0.01)
    time.sleep(1)
    before = read_so_far()
    time.sleep(1)  # many looks
    assert read_so_far() - before < path.stat().st_size
    with path.open("a") as log:
        log.write(lines(1, 20))
    following.wait(19)
    assert following.end() == list(range(1, 21))


def test_ending_before_there_was_a_log_is_no_error(tmp_path: Path) -> None:
    assert Following(tmp_path / "never.log").end() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_follows_alarms_and_ends_on_a_signal(tmp_path: Path, number: int) -> None:
    program = "from collapse_lab.cli import main; main()"
    options = ["--root", str(tmp_path), "--name", "run", "--follow", str(tmp_path / "train.log")]
    options += [f"--on-alarm=touch:{tmp_path / 'SAVE'}"]
    (tmp_path / "train.log").write_text(lines(1, 20))
    process = subprocess.Popen(
        [sys.executable, "-c", program, "watch", *options], stderr=subprocess.PIPE, text=True
    )
    with (tmp_path / "train.log").open("a") as log:
        log.write(LINE.format(step=21, norm="nan"))
    assert process.stderr
    assert process.stderr.readline() == "collapse-lab CRITICAL at step 21 (non-finite)\n"
    os.kill(process.pid, number)
    assert process.wait(30) == 0
    reader = RunReader(tmp_path / "run")
    assert [record.step for record in reader.new()] == list(range(1, 22))
    assert reader.meta["state"] == "finished"
    assert (tmp_path / "SAVE").exists()


def test_a_log_is_followed_and_alarms_go_out_when_nobody_reads_what_is_said(tmp_path: Path) -> None:
    program = "from collapse_lab.cli import main; main()"
    options = ["--root", str(tmp_path), "--name", "run", "--follow", str(tmp_path / "train.log")]
    options += ["--hook", f"touch {tmp_path / 'PAGED'}"]
    (tmp_path / "train.log").write_text(lines(1, 20))
    line = [sys.executable, "-c", program, "watch", *options]
    process = subprocess.Popen(line, stderr=subprocess.PIPE)
    assert process.stderr
    process.stderr.close()  # as a terminal or a pager is
    with (tmp_path / "train.log").open("a") as log:
        log.write(LINE.format(step=21, norm="nan"))
    end = time.monotonic() + 60
    while not (tmp_path / "PAGED").exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    process.terminate()
    process.wait(30)
    assert RunReader(tmp_path / "run").meta["state"] == "finished"


def test_a_run_is_followed_on_after_its_watcher_was_killed(tmp_path: Path) -> None:
    program = "from collapse_lab.cli import main; main()"
    options = ["--root", str(tmp_path), "--name", "run", "--follow", str(tmp_path / "train.log")]
    line = [sys.executable, "-c", program, "watch", *options]
    (tmp_path / "train.log").write_text(lines(1, 10))
    reader = RunReader(tmp_path / "run")
    seen: list[int] = []
    for goal in (10, 15):
        process = subprocess.Popen(line)
        end = time.monotonic() + 60
        while len(seen) < goal:
            seen += [record.step for record in reader.new()]
            assert time.monotonic() < end
            time.sleep(0.02)
        process.kill()
        process.wait()
        with (tmp_path / "train.log").open("a") as log:
            log.write(lines(goal + 1, goal + 5))
    assert seen == list(range(1, 16))
    assert not any("event/restart" in r.notes for r in RunReader(tmp_path / "run").new())
