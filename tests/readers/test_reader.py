"""The part that all formats share: finding the format, following the file, assembling records."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collapse_lab.readers.base import Row, UnreadableLog
from collapse_lab.readers.reader import HEAD_LINES, Assembler, LineReader, Log, read, sniff
from collapse_lab.records import NEW_RUN, RESTART, Record
from collapse_lab.tail import Tail


def verl_line(step: int, entropy: float = 0.5) -> str:
    return f"(TaskRunner pid=7) step:{step} - actor/entropy:{entropy} - actor/grad_norm:1.0"


def feed(lines: list[str]) -> tuple[LineReader, list[Record]]:
    reader = LineReader()
    records = [record for line in lines for record in reader.feed(line)]
    return reader, records + reader.close()


def plain(records: list[Record]) -> list[str]:
    return [record.to_json() for record in records]


def test_rows_become_records_under_canonical_names() -> None:
    (record,) = Assembler("verl", merges=False).add(Row(3, {"actor/entropy": 0.5, "mine": 1.0}))
    assert (record.step, record.values) == (3, {"policy/entropy": 0.5, "mine": 1.0})


def test_a_note_is_renamed_with_the_value_it_explains_or_would_have() -> None:
    row = Row(3, {"actor/entropy": math.nan}, notes={"actor/entropy": "a", "actor/lr": "b"})
    (record,) = Assembler("verl", merges=False).add(row)
    assert record.notes == {"policy/entropy": "a", "optim/lr": "b"}


def test_a_step_that_goes_back_is_a_restart() -> None:
    assembler = Assembler("verl", merges=False)
    records = [record for step in (1, 2, 3, 2) for record in assembler.add(Row(step, {"x": 1.0}))]
    assert [RESTART in record.notes for record in records] == [False, False, False, True]
    assert records[-1].notes[RESTART] == "step went back from 3 to 2"


def test_a_row_without_a_step_follows_the_one_before() -> None:
    assembler = Assembler(None, merges=False)
    rows = [Row(None, {"x": 1.0}), Row(7, {"x": 1.0}), Row(None, {"x": 1.0})]
    assert [record.step for row in rows for record in assembler.add(row)] == [0, 7, 8]


def test_rows_of_one_step_merge_where_the_format_writes_several() -> None:
    assembler = Assembler(None, merges=True)
    assert assembler.add(Row(1, {"a": 1.0}, time=5.0)) == []
    assert assembler.add(Row(1, {"b": 2.0})) == []
    (record,) = assembler.add(Row(2, {"a": 3.0}))
    assert (record.step, record.time, record.values) == (1, 5.0, {"a": 1.0, "b": 2.0})
    assert [record.values for record in assembler.flush()] == [{"a": 3.0}]


def test_the_format_is_found_after_hundreds_of_lines_of_chatter() -> None:
    chatter = [f"loading shard {n}: {n}.5 GB, learning_rate: 0.{n}" for n in range(1, 700)]
    reader, records = feed([*chatter, verl_line(1), *chatter, verl_line(2), verl_line(3)])
    assert reader.format == "verl-console"
    assert [record.step for record in records][-3:] == [1, 2, 3]


def test_a_record_is_given_with_the_line_that_states_it() -> None:
    reader = LineReader()
    for n in range(500):
        assert reader.feed(f"WARNING {n}") == []
    assert [record.step for record in reader.feed(verl_line(1))] == [1]
    assert [record.step for record in reader.feed(verl_line(2))] == [2]


def test_a_guess_waits_and_gives_way_to_a_signature() -> None:
    settings_printed = [f"step={n} alpha=0.{n} beta=2.5" for n in range(1, 20)]
    reader, records = feed([*settings_printed, verl_line(1), verl_line(2)])
    assert reader.format == "verl-console"
    assert [record.values["policy/entropy"] for record in records] == [0.5, 0.5]
    assert all(NEW_RUN not in record.notes for record in records)


def test_what_a_weaker_format_gave_before_is_marked_as_another_run() -> None:
    lines = [json.dumps({"step": n, "reward": 1.0, "loss": 0.1}) for n in range(4)]
    reader, records = feed([*lines, verl_line(1), verl_line(2)])
    assert reader.format == "verl-console"
    assert [record.step for record in records] == [0, 1, 2, 1, 2]
    assert [NEW_RUN in record.notes for record in records] == [False, False, False, True, False]


def test_a_log_that_has_gone_quiet_is_read_with_the_best_guess() -> None:
    reader = LineReader()
    lines = [f"Step {n}: loss=0.{n} reward=1.{n}" for n in range(1, 9)]
    assert [record for line in lines for record in reader.feed(line)] == []
    assert [record.step for record in reader.flush()] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_no_record_is_lost_before_the_format_is_known() -> None:
    lines = [f"Step {n}: loss=0.{n} reward=1.{n}" for n in range(1, 9)]
    _, records = feed(["hello", "", *lines])
    assert [record.step for record in records] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_program_without_metrics_gives_nothing_and_no_error() -> None:
    reader, records = feed(["hello"] * 3000)
    assert (reader.format, records) == (None, [])


@pytest.mark.parametrize("chatter", ["generated 128 prompts in 3.25 s", "load={} k{}=1 b=2"])
def test_the_search_costs_the_same_for_every_line(chatter: str) -> None:
    def seconds(lines: int) -> float:
        reader = LineReader()
        started = time.process_time()
        for n in range(lines):
            reader.feed(f"INFO worker {n}: {chatter.format(n, n)}")
        return time.process_time() - started

    seconds(200)
    short = min(seconds(1000) for _ in range(3))
    assert seconds(8000) < 8 * 4 * short  # the head is looked at as a whole when it has doubled


def test_a_file_that_does_not_exist_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist"):
        Log(tmp_path / "none.log")


def test_a_file_that_fits_nothing_is_refused_with_what_was_tried(tmp_path: Path) -> None:
    path = tmp_path / "diary.txt"
    path.write_text("\nDear diary,\ntoday nothing collapsed.\n")
    with pytest.raises(UnreadableLog, match=r"verl-console.*Dear diary"):
        sniff(path)
    with pytest.raises(UnreadableLog, match="Dear diary"):
        read(path)


def test_a_file_in_which_nothing_is_recognised_yet_may_become_a_log(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    path.write_text("starting\n")
    log = Log(path)
    assert (log.new(), log.format) == ([], None)
    with path.open("a") as file:
        file.write(verl_line(1) + "\n")
    assert [record.step for record in log.new()] == [1]
    assert (log.format, log.framework) == ("verl-console", "verl")


def test_the_format_is_found_behind_a_long_start(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    path.write_text("compiling\n" * (HEAD_LINES + 1000) + verl_line(1) + "\n" + verl_line(2) + "\n")
    records, log = read(path)
    assert (log.format, [record.step for record in records]) == ("verl-console", [1, 2])


def test_a_torn_line_waits_for_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    first, second = verl_line(1), verl_line(2, entropy=0.25)
    path.write_text(first + "\n" + second[:-20])
    log = Log(path)
    assert [record.step for record in log.new()] == [1]
    with path.open("a") as file:
        file.write(second[-20:] + "\n")
    (record,) = log.new()
    assert record.values == {"policy/entropy": 0.25, "optim/grad_norm": 1.0}


def test_a_rotated_log_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    path.write_text(verl_line(1) + "\n" + verl_line(2) + "\n")
    log = Log(path)
    assert len(log.new()) == 2
    path.rename(tmp_path / "run.log.1")
    path.write_text(verl_line(3) + "\n")
    assert [(record.step, dict(record.notes)) for record in log.new()] == [(3, {})]


def test_a_truncated_log_is_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    path.write_text("".join(verl_line(step) + "\n" for step in (1, 2, 3)))
    log = Log(path)
    assert len(log.new()) == 3
    path.write_text(verl_line(1) + "\n")
    (record,) = log.new()
    assert RESTART in record.notes


def rotating(path: Path) -> Callable[[Tail], list[str]]:
    """Reads lines of a file and then puts a folder in its place."""
    read_lines = Tail.lines

    def lines(tail: Tail) -> list[str]:
        found = read_lines(tail)
        path.unlink()
        path.mkdir()
        return found

    return lines


def test_a_log_that_is_rotated_while_it_is_read_loses_nothing_of_what_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.log"
    path.write_text("".join(verl_line(step) + "\n" for step in (1, 2, 3)))
    log = Log(path)
    monkeypatch.setattr(Tail, "lines", rotating(path))
    assert len(log.new()) == 3
    with pytest.raises(IsADirectoryError):
        log.new()


def test_a_finished_log_of_which_a_part_cannot_be_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.log"
    path.write_text("".join(verl_line(step) + "\n" for step in (1, 2, 3)))
    log = Log(path)
    monkeypatch.setattr(Tail, "lines", rotating(path))
    with pytest.raises(IsADirectoryError):
        log.close()


TRL = (
    "\r  0%|          | 0/9 [00:00<?, ?it/s]\r 11%|#         | 1/9 [00:05<00:40, 5.0s/it]\r      \r"
    "{'loss': 0.5, 'reward': 0.25, 'kl': nan, 'epoch': 0.1}\n"
    "\r 11%|#         | 1/9 [00:05<00:40, 5.0s/it]\r 22%|##        | 2/9 [00:10<00:35]\r      \r"
    "{'loss': '0.5', 'reward': '0.5', 'kl': 'nan', 'epoch': '0.2'}\n"
    "\r 22%|##        | 2/9 [00:10<00:35]\r 33%|###       | 3/9 [00:15<00:30]\r      \r"
    "{'eval_loss': 0.125, 'eval_reward': 0.75, 'epoch': 0.2}\n"
    "{'loss': 0.25, 'reward': inf, 'kl': None, 'epoch': 0.3}\n"
)
VERL = "chatter\n" + "".join(verl_line(step, step / 8) + "\n" for step in (1, 2, 3, 2, 3))
SLIME = "".join(
    f"[2026-01-01 00:00:00] data.py:1 - rollout {n}: {{'rollout/raw_reward': 0.{n}}}\n"
    f"[2026-01-01 00:00:00] model.py:918 - step {n}: {{'train/loss': 0.5, 'train/step': {n}}}\n"
    for n in range(4)
)
NEMO = "".join(
    f"===== Step {n}/9 =====\n\n📊 Training Results:\n  • Loss: 0.{n}\n  • Avg Reward: 0.5\n\n"
    for n in (1, 2, 3)
)
PRIME = "".join(
    json.dumps({"step": n - lag, "time": 1.8e9 + n, key: n / 4}) + "\n"
    for n in range(4)
    for lag, key in ((0, "train/agg/all/agent/reward/mean"), (1, "entropy/all/mean"))
    if n >= lag
)
JSONL = "".join(json.dumps({"step": n, "reward": n / 4, "loss": math.nan}) + "\n" for n in range(5))


@pytest.mark.parametrize("text", [TRL, VERL, SLIME, NEMO, PRIME, JSONL], ids=lambda text: text[:12])
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_log_read_as_it_grows_gives_the_same_records_as_one_read_at_once(
    text: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("log")
    raw = text.encode()
    (folder / "whole.log").write_bytes(raw)
    at_once, log = read(folder / "whole.log")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    path = folder / "growing.log"
    path.touch()
    growing = Log(path)
    records: list[Record] = []
    for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        with path.open("ab") as file:
            file.write(raw[start:end])
        records += growing.new()
    records += growing.close()
    assert len(at_once) >= 3
    assert plain(records) == plain(at_once)
    assert (growing.format, growing.framework) == (log.format, log.framework)


def test_a_format_that_is_claimed_more_surely_later_is_read_on() -> None:
    counted = [json.dumps({"reward": 0.5, "loss": 0.1})] * 900
    logged = ["{'step': 0, 'reward': 0.1}", *(f"{{'loss': 1, 'epoch': {n}}}" for n in range(1, 4))]
    for lines, format in ((["starting"] * 300 + counted, "jsonl"), (logged, "trl-console")):
        reader, records = feed(lines)
        records += reader.close()
        assert reader.format == format
        assert len(records) == len(lines) - lines.count("starting")
        assert not any(record.notes for record in records)


@pytest.mark.parametrize("lines_between", [3, 2 * HEAD_LINES])
@pytest.mark.parametrize(
    "printed", ["Env info: {'step': 3, 'reward': 0.0, 'done': False}", '{"step": 3, "kl": 2}']
)
def test_what_a_rollout_prints_does_not_hide_the_log(printed: str, lines_between: int) -> None:
    """Nor however much of it comes before the first step is made."""
    reader, _ = feed([printed] * 4 + ["a thought"] * lines_between)
    records = [record for n in (1, 2) for record in reader.feed(verl_line(n))]
    assert reader.format == "verl-console"
    assert [record.step for record in records] == [1, 2]
    assert [NEW_RUN in record.notes for record in records][1:] == [False]
