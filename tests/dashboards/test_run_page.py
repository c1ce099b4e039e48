"""What the head of a run's page says."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from app_examples import alarm_at, collapsing, write_run

pytest.importorskip("dash")

from collapse_lab.dashboards import run_page
from collapse_lab.dashboards.app import open_desk
from collapse_lab.dashboards.compare_table import outcome_table
from collapse_lab.dashboards.comparing import choose
from collapse_lab.dashboards.judging import judge
from collapse_lab.records import Record, Suspicion
from collapse_lab.report import open_case
from collapse_lab.report.words import story
from collapse_lab.store import RunWriter


def page(root: Path, name: str, judged_by_app: bool = False) -> str:
    desk = open_desk(root, judge=False)
    if judged_by_app:
        desk.index.judge = judge
        desk.index.summary(name)
        assert desk.index.judge_next()
    return str(run_page.layout(desk, {"path": name}))


def test_other_alarms_are_told_apart_from_notices_and_the_begin_in_words(tmp_path: Path) -> None:
    alarms = [alarm_at(30, "watch"), alarm_at(38), alarm_at(44), alarm_at(50, "watch")]
    write_run(tmp_path / "one", collapsing(), alarms)
    found = page(tmp_path, "one")
    assert "Began between steps 35 and 37. " in found
    assert "Besides, 1 alarm and 2 notices. " in found


def test_what_it_may_be_stands_under_the_alarm_where_that_is_clear(tmp_path: Path) -> None:
    suspicions = (Suspicion("reward_hacking"), Suspicion("length"))
    write_run(tmp_path / "clear", collapsing(), [replace(alarm_at(38), suspicions=suspicions)])
    write_run(tmp_path / "unclear", collapsing(), [replace(alarm_at(38), suspicions=())])
    assert "It may be reward hacking or length runaway: the evidence" in page(tmp_path, "clear")
    assert "It may be" not in page(tmp_path, "unclear")


def test_of_a_hard_failure_nothing_is_half_gone(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "one")
    for step in range(40):
        loss = float("nan") if step >= 35 else 0.1 + 0.01 * (step % 7)
        writer.append(Record(step, float(step), {"reward/mean": 0.5, "loss/total": loss}))
    writer.finish()
    found = page(tmp_path, "one", judged_by_app=True)
    assert "hard fail, began at step 35" in found and "half" not in found


@pytest.mark.parametrize(
    ("logged", "said"),
    [
        ({"my/number": 1.0}, "Nothing to judge: detectors know none of the signals"),
        ({}, "Nothing to judge: no step has been recorded."),
        ({"reward/mean": 0.5}, "Nobody has judged this run; collapse-lab replay does."),
    ],
)
def test_a_run_without_alarms_says_why(tmp_path: Path, logged: dict[str, float], said: str) -> None:
    writer = RunWriter(tmp_path / "one")
    if logged:
        writer.append(Record(0, 0.0, logged))
    writer.finish()
    found = page(tmp_path, "one")
    assert said in found and "verdict quiet" not in found


def test_the_first_step_is_waited_for_while_a_writer_lives(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "one")
    writer.update_meta(pid=os.getpid())
    assert "this page looks again by itself" in page(tmp_path, "one")
    writer.update_meta(pid=2**22 + 1)  # beyond the largest there can be
    assert "The run ended before its" in page(tmp_path, "one")


def test_a_reason_that_asks_ends_with_its_question(tmp_path: Path) -> None:
    asks = replace(
        alarm_at(38), message="policy/entropy has been 1 for 20 records: is it measured?"
    )
    write_run(tmp_path / "one", collapsing(), [asks])
    assert "is it measured?." not in page(tmp_path, "one")
    assert "is it measured? The change began" in " ".join(story(open_case(tmp_path / "one")))


def test_a_cell_of_the_comparison_stands_out_only_from_a_majority(tmp_path: Path) -> None:
    for name, rate in (("a", 1), ("b", 2), ("c", 2)):
        write_run(tmp_path / name, config={"lr": rate, "seed": name})
    write_run(tmp_path / "d")  # its configuration is unknown
    desk = open_desk(tmp_path, judge=False)
    table = str(outcome_table(desk, choose(desk, {"runs": "a,b,c"})))
    assert re.findall(r"Td\(children='(\w+)', className='other'\)", table) == ["1"]
    assert "{}" not in str(outcome_table(desk, choose(desk, {"runs": "a,d"})))
