from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from app_examples import ENTROPY, Deadly, alarm_at, collapsing, write_run

from collapse_lab.dashboards.index import Index
from collapse_lab.dashboards.index_cache import CACHE, cache_file
from collapse_lab.dashboards.judging import Judge, judge
from collapse_lab.dashboards.library import Library
from collapse_lab.dashboards.root import Root
from collapse_lab.dashboards.summary import Summary, likely
from collapse_lab.dashboards.upkeep import keep
from collapse_lab.records import Alarm, Record, Suspicion
from collapse_lab.store import ALARMS, RECORDS, RUN, RunWriter


def index_of(root: Path, **options: object) -> Index:
    return Index(Root(root), Library(), cache=cache_file(root), **options)  # type: ignore[arg-type]


def by_name(index: Index) -> dict[str, Summary]:
    index.rows()
    index.scan()
    index.refresh()
    return {row.name: row for row in index.rows()}


def test_a_row_tells_state_setting_alarm_and_lead(tmp_path: Path) -> None:
    config = {"algorithm": "grpo", "task": "household"}
    write_run(
        tmp_path / "one", collapsing(), [alarm_at(30, "watch"), alarm_at(38)], config=config,
        framework="trl", planned_steps=60,
    ).update_meta(state="finished")  # fmt: skip
    row = by_name(index_of(tmp_path))["one"]
    assert (row.state, row.framework, row.algorithm, row.task) == (
        "finished", "trl", "grpo", "household",
    )  # fmt: skip
    assert (row.steps, row.reached, row.planned, row.step_seconds) == (60, 60, 60, 1.0)
    assert row.last_step == 59
    assert (row.health, row.alarms, row.alarm_step, row.alarm_severity) == ("alarm", 2, 38, "alarm")
    assert row.mechanism == "policy/entropy down: 3 families of signals deviate together"
    assert row.label == "collapse" and row.cross is not None
    assert row.lead == row.cross - 38
    assert len(row.spark) == 40 and row.spark[0] == 0.09063 and row.spark[-1] == 0.0


def test_an_alarm_long_before_the_fall_has_no_lead_on_it(tmp_path: Path) -> None:
    write_run(tmp_path / "one", collapsing(), [alarm_at(8), alarm_at(41)])
    row = by_name(index_of(tmp_path))["one"]
    assert (row.label, row.alarm_step, row.lead) == ("collapse", 8, None)


def test_records_that_are_several_steps_apart_are_counted_by_their_steps(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "sparse", {"planned_steps": 400})
    for step in range(10, 210, 10):  # a trainer that logs every ten steps
        writer.append(Record(step, float(step), {"reward/mean": 0.5}))
    row = by_name(index_of(tmp_path))["sparse"]
    assert (row.steps, row.reached, row.planned) == (20, 200, 400)


def test_an_alarm_is_marked_among_the_records_wherever_their_steps_begin(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "late", {"judged": True})
    for step in range(1_000_000, 1_000_101):
        writer.append(Record(step, float(step), {"reward/mean": 0.5}))
    writer.alarm(alarm_at(1_000_075))
    assert by_name(index_of(tmp_path))["late"].alarm_share == 0.75


def test_the_last_step_was_when_its_record_was_made_not_when_its_file_was_copied(
    tmp_path: Path,
) -> None:
    write_run(tmp_path / "old")  # its records are of the year 1970
    ahead = write_run(tmp_path / "ahead", finish=False)
    ahead.append(Record(9, time.time() + 3600, {"reward/mean": 0.5}))
    rows = by_name(index_of(tmp_path))
    assert rows["old"].last_time == 1002.0 and rows["old"].changed > 1e9
    assert rows["ahead"].last_time == rows["ahead"].changed


def test_a_named_mechanism_stands_before_the_signal_that_moved_most() -> None:
    named = replace(alarm_at(38), suspicions=(Suspicion("entropy_collapse"), Suspicion("format")))
    assert likely(named) == "entropy collapse: policy/entropy down"
    assert likely(replace(named, evidence=())) == "entropy collapse"
    reward = replace(ENTROPY, signal="reward/mean", family="reward")
    assert likely(replace(named, evidence=(reward, ENTROPY))) == likely(named)
    assert likely(replace(named, evidence=(reward,))) == "entropy collapse: reward/mean down"


def test_a_value_that_is_not_finite_has_no_direction() -> None:
    loss = replace(ENTROPY, signal="loss/total", family="optimiser", observed=float("nan"))
    named = replace(alarm_at(38), suspicions=(Suspicion("numerical"),), evidence=(loss,))
    assert likely(named) == "numerical failure: loss/total"
    assert likely(replace(named, suspicions=())).startswith("loss/total: 3 families")


def test_nested_settings_of_other_frameworks_are_found(tmp_path: Path) -> None:
    config = {"algorithm": {"adv_estimator": "gae"}, "data": {"train_files": "gsm8k.parquet"}}
    write_run(tmp_path / "one", config=config)
    row = by_name(index_of(tmp_path))["one"]
    assert (row.algorithm, row.task) == ("gae", "gsm8k.parquet")


def test_what_is_no_run_or_broken_hides_no_other(tmp_path: Path) -> None:
    write_run(tmp_path / "good")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{ no json")
    write_run(tmp_path / "torn")
    (tmp_path / "torn" / "records.parquet").write_bytes(b"PAR1 not really")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "run.json").write_text('{"state": 7, "config": [1], "name": {"a": 1}}')
    rows = by_name(index_of(tmp_path))
    assert set(rows) == {"good", "broken", "torn", "odd"}
    assert rows["good"].steps == 3
    assert rows["torn"].mechanism.startswith("cannot be read")


def test_a_link_out_of_the_root_is_not_listed(tmp_path: Path) -> None:
    write_run(tmp_path / "outside")
    write_run(tmp_path / "runs" / "one")
    (tmp_path / "runs" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "runs" / "one" / RECORDS).unlink()
    write_run(tmp_path / "runs" / "two")
    (tmp_path / "runs" / "two" / "alarms.jsonl").unlink()
    (tmp_path / "runs" / "two" / "alarms.jsonl").symlink_to(tmp_path / "outside" / "alarms.jsonl")
    assert set(by_name(index_of(tmp_path / "runs"))) == {"one"}


def test_a_running_run_grows_and_a_silent_one_has_stalled(tmp_path: Path) -> None:
    writer = write_run(tmp_path / "live", finish=False)
    index = index_of(tmp_path)
    assert by_name(index)["live"].state == "running"
    writer.append(Record(3, 1003.0, {"reward/mean": 0.9}))
    row = by_name(index)["live"]
    assert (row.steps, row.spark[-1]) == (4, 0.9)
    assert row.at(row.changed + 59).state == "running"
    assert row.at(row.changed + 61).state == "stalled"


def test_the_lines_of_an_open_run_are_read_once_for_the_table_and_its_page(tmp_path: Path) -> None:
    write_run(tmp_path / "live", finish=False)
    index = index_of(tmp_path)
    assert by_name(index)["live"].steps == 3
    (tmp_path / "live" / RECORDS).unlink()  # nothing is left to be read again
    assert index.library.columns(tmp_path / "live").rows == 3


def test_a_run_in_the_place_of_a_deleted_one_has_nothing_of_it(tmp_path: Path) -> None:
    write_run(tmp_path / "one", [0.1] * 50, finish=False)
    index = index_of(tmp_path)
    by_name(index)
    assert index.library.columns(tmp_path / "one").rows == 50
    shutil.rmtree(tmp_path / "one")
    index.scan()
    write_run(tmp_path / "one", [0.9] * 60, finish=False)
    assert by_name(index)["one"].spark == (0.9,) * 40
    columns = index.library.columns(tmp_path / "one")
    assert columns.read(["reward/mean"])["reward/mean"].values.tolist() == [0.9] * 60
    assert set(columns.attempts.tolist()) == {0}


def test_a_live_run_is_quiet_only_where_somebody_judges_it(tmp_path: Path) -> None:
    write_run(tmp_path / "alone", finish=False)
    write_run(tmp_path / "watched", finish=False, judged=True)
    rows = by_name(index_of(tmp_path))
    assert (rows["alone"].health, rows["watched"].health) == ("unjudged", "quiet")


def test_a_run_in_which_nothing_can_be_judged_is_not_quiet(tmp_path: Path) -> None:
    write_run(tmp_path / "empty", rewards=(), judged=True)
    write_run(tmp_path / "begun", rewards=(), finish=False, judged=True)
    writer = RunWriter(tmp_path / "strange", {"judged": True})
    writer.append(Record(0, 0.0, {"my/number": 1.0, "time/step": 2.0}))
    writer.finish()
    write_run(tmp_path / "known", judged=True)
    index = index_of(tmp_path, judge=judge)
    found = {row.name: row.health for row in by_name(index).values()}
    assert found == {"empty": "nothing", "begun": "nothing", "strange": "nothing", "known": "quiet"}
    assert not index.judge_next()


def test_a_run_whose_writer_died_is_lost(tmp_path: Path) -> None:
    writer = write_run(tmp_path / "one", finish=False)
    meta = json.loads((tmp_path / "one" / "run.json").read_text())
    (tmp_path / "one" / "run.json").write_text(json.dumps(meta | {"pid": 2**30}))
    assert by_name(index_of(tmp_path))["one"].state == "lost"
    del writer


def test_a_new_alarm_of_a_running_run_is_news_once(tmp_path: Path) -> None:
    writer = write_run(tmp_path / "live", alarms=[alarm_at(5)], finish=False)
    index = index_of(tmp_path)
    by_name(index)
    before = len(index.news)
    writer.alarm(alarm_at(9, "critical"))
    by_name(index)
    by_name(index)
    assert [(item.run, item.alarm.step) for item in index.news[before:]] == [("live", 9)]


def test_the_cache_is_used_while_files_are_as_they_were(tmp_path: Path) -> None:
    write_run(tmp_path / "one", [0.5])
    write_run(tmp_path / "two", [0.5])
    first = index_of(tmp_path)
    by_name(first)
    first.save(least_seconds=0)
    kept = json.loads((tmp_path / CACHE).read_text())
    for run in kept["runs"].values():
        run["summary"]["mechanism"] = "from the cache"
    (tmp_path / CACHE).write_text(json.dumps(kept))
    os.utime(tmp_path / "two" / "run.json")
    rows = by_name(index_of(tmp_path))
    assert rows["one"].mechanism == "from the cache"
    assert rows["two"].mechanism == ""


def test_without_its_cache_or_with_a_broken_one_nothing_is_lost(tmp_path: Path) -> None:
    write_run(tmp_path / "one", alarms=[alarm_at(5)])
    first = index_of(tmp_path)
    rows = by_name(first)
    first.save(least_seconds=0)
    for text in ("", "{", "[1]", '{"format": 0}', '{"format": null, "runs": 3}'):
        (tmp_path / CACHE).write_text(text)
        assert by_name(index_of(tmp_path)) == rows
    (tmp_path / CACHE).unlink()
    assert by_name(index_of(tmp_path)) == rows


def test_a_deleted_run_leaves_the_table(tmp_path: Path) -> None:
    write_run(tmp_path / "one")
    index = index_of(tmp_path)
    assert set(by_name(index)) == {"one"}
    shutil.rmtree(tmp_path / "one")
    assert by_name(index) == {}


def test_a_finished_run_that_nobody_watched_is_judged_here(tmp_path: Path) -> None:
    rewards = [*(0.5 + 0.01 * (step % 3) for step in range(60)), float("nan"), float("nan")]
    writer = RunWriter(tmp_path / "one")
    for step, reward in enumerate(rewards):
        values = {"reward/mean": 0.5, "loss/total": reward, "optim/grad_norm": 1.0}
        writer.append(Record(step, float(step), values))
    writer.finish()
    index = index_of(tmp_path, judge=judge)
    assert by_name(index)["one"].health == "unjudged"
    assert index.judge_next()
    row = by_name(index)["one"]
    assert (row.health, row.alarm_step, row.judged_here) == ("critical", 60, True)
    assert [alarm.detector for alarm in index.alarms("one")] == ["stuck", "non-finite"]
    assert not index.judge_next()
    index.save(least_seconds=0)
    again = index_of(tmp_path, judge=judge)
    assert by_name(again)["one"] == row and not again.judge_next()


def test_one_bad_run_stops_neither_the_table_nor_the_judging_of_the_others(tmp_path: Path) -> None:
    write_run(tmp_path / "alarms-no-file", alarms=[alarm_at(5)])
    (tmp_path / "alarms-no-file" / ALARMS).unlink()
    (tmp_path / "alarms-no-file" / ALARMS).mkdir()
    write_run(tmp_path / "alarms-no-alarm")
    (tmp_path / "alarms-no-alarm" / ALARMS).write_text(
        json.dumps(alarm_at(5).to_dict() | {"evidence": [5]}) + "\n"
    )
    write_run(tmp_path / "steps-no-number", planned_steps="abc")
    write_run(tmp_path / "too-large")
    write_run(tmp_path / "pid-no-process", finish=False)
    (tmp_path / "pid-no-process" / RUN).write_text(
        json.dumps({"state": "running", "pid": 2**70, "host": os.uname().nodename})
    )
    index = index_of(tmp_path, judge=short_of_memory)
    with kept_up_to_date(index):
        write_run(tmp_path / "late")
        wait_for(lambda: health(index, "late") == "quiet")
        rows = {row.name: row for row in index.rows()}
    assert rows["alarms-no-file"].mechanism.startswith("cannot be read: [Errno 21] Is a directory")
    assert rows["too-large"].mechanism == "cannot be judged: three records are too many"
    assert (rows["too-large"].health, rows["too-large"].steps) == ("unjudged", 3)
    assert rows.keys() >= {"alarms-no-alarm", "steps-no-number", "pid-no-process"}


def test_a_run_that_could_not_be_judged_is_judged_again_when_it_has_changed(
    tmp_path: Path,
) -> None:
    writer = write_run(tmp_path / "too-large")
    index = index_of(tmp_path, judge=short_of_memory)
    assert by_name(index)["too-large"].health == "unjudged"
    assert index.judge_next() and not index.judge_next()
    assert by_name(index)["too-large"].mechanism.startswith("cannot be judged")
    writer.update_meta(note="another")
    assert by_name(index)["too-large"].mechanism == ""
    assert index.judge_next()


def test_runs_are_judged_on_after_the_process_that_did_so_was_killed(tmp_path: Path) -> None:
    write_run(tmp_path / "one")
    apart = Judge()
    with pytest.raises(ChildProcessError, match="killed"):
        apart(cast(Path, Deadly()))
    assert apart(tmp_path / "one") == []


def short_of_memory(folder: Path) -> list[Alarm]:
    if folder.name == "too-large":
        raise MemoryError("three records are too many")
    return judge(folder)


def health(index: Index, name: str) -> str:
    return {row.name: row.health for row in index.rows()}.get(name, "")


@contextmanager
def kept_up_to_date(index: Index) -> Iterator[None]:
    """The index's background thread, which must live as long as it is asked to."""
    stop = threading.Event()
    thread = threading.Thread(target=keep, args=(index, stop))
    thread.start()
    try:
        yield
        assert thread.is_alive()
    finally:
        stop.set()
        thread.join()


def wait_for(there: Callable[[], bool], seconds: float = 8.0) -> None:
    until = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < until
        time.sleep(0.05)
