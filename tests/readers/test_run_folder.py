"""Our own run folders and records files."""

from __future__ import annotations

import math
from pathlib import Path

from collapse_lab.readers.reader import Log, read
from collapse_lab.records import NEW_RUN, RESTART, Record
from collapse_lab.store import RunWriter, records_of

VALUES = {"reward/mean": math.nan, "optim/grad_norm": math.inf, "mine": 1.0}


def test_a_run_folder_replays_as_it_was_recorded(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run")
    written = [Record(step, 1.7e9, VALUES, notes={"mine": "why"}) for step in range(3)]
    for record in written:
        writer.append(record)
    records, log = read(tmp_path / "run")
    assert [record.to_json() for record in records] == [record.to_json() for record in written]
    assert (log.format, log.framework, log.unmapped) == ("collapse-lab", "collapse-lab", ["mine"])


def test_a_live_run_gives_each_record_at_once_and_a_torn_one_later(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run")
    log = Log(tmp_path / "run")
    writer.append(Record(1, 0.0, VALUES))
    assert [record.step for record in log.new()] == [1]
    line = Record(2, 0.0, VALUES).to_json()
    with (tmp_path / "run" / "records.jsonl").open("a") as file:
        file.write(line[:20])
        file.flush()
        assert log.new() == []
        file.write(line[20:] + "\n")
    assert [record.step for record in log.new()] == [2]


def test_restarts_and_runs_of_a_recorded_log_are_told_again(tmp_path: Path) -> None:
    steps = [(1, {NEW_RUN: "a"}), (2, {}), (1, {RESTART: "?"}), (1, {NEW_RUN: "b"})]
    path = tmp_path / "records.jsonl"
    path.write_text("".join(Record(s, 0.0, {"x": 1.0}, notes=n).to_json() + "\n" for s, n in steps))
    records, log = read(path)
    assert log.framework == "collapse-lab" and log.format == "collapse-lab-records"
    assert [record.notes.get(NEW_RUN) for record in records] == ["a", None, None, "b"]
    assert [RESTART in record.notes for record in records] == [False, False, True, False]


def test_a_sealed_run_without_its_lines_reads_the_same(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run")
    written = [Record(0, 1.7e9, VALUES), Record(1, 1.8e9, {"mine": -math.inf, "step": 3.0})]
    for record in written:
        writer.append(record)
    writer.finish()
    (tmp_path / "run" / "records.jsonl").unlink()
    records, log = read(tmp_path / "run")
    assert [record.to_json() for record in records] == [record.to_json() for record in written]
    assert log.format == "collapse-lab"


def test_runs_that_share_a_folder_are_told_apart_by_its_sealed_form_too(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run")
    steps = [("a", 1), ("", 2), ("", 1), ("b", 1)]  # the first run went back over its first step
    for run, step in steps:
        writer.append(Record(step, values=VALUES, notes={NEW_RUN: run} if run else {}))
    writer.finish()
    (tmp_path / "run" / "records.jsonl").unlink()
    records, _ = read(tmp_path / "run")
    assert [(record.step, record.notes.get(NEW_RUN)) for record in records] == [
        (1, "a"),
        (2, None),
        (1, "b"),
    ]
    from_table = records_of(tmp_path / "run")
    assert [record.notes.get(NEW_RUN) for record in from_table] == ["a", None, "b"]
