"""`replay` and `label` on run folders."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
from command_line import collapse_lab, objects

from collapse_lab.records import NEW_RUN, Record
from collapse_lab.store import RUN, RunWriter, read_meta


def test_a_run_folder_is_replayed_as_it_was_watched(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run")
    for step in range(1, 6):
        writer.append(Record(step, values={"loss/total": float("inf") if step == 4 else 0.1}))
    writer.finish()
    (found,) = objects(collapse_lab("replay", "--json", tmp_path / "run"))
    assert (found["format"], found["steps"]) == ("collapse-lab", 5)
    assert [alarm["step"] for alarm in found["alarms"]] == [4]


def test_a_run_folder_is_replayed_with_the_length_that_it_states(tmp_path: Path) -> None:
    recorded = Path(__file__).parents[2] / "data" / "failures" / "entropy-bonus-late-3"
    shutil.copytree(recorded, folder := tmp_path / "run")

    def first_alarm(*option: object) -> int:
        (found,) = objects(collapse_lab("replay", "--json", folder, *option))
        return next(a["step"] for a in found["alarms"] if a["detector"] == "e-detector")

    assert first_alarm() == 70
    facts = read_meta(folder)
    del facts["planned_steps"]
    (folder / RUN).write_text(json.dumps(facts))
    assert first_alarm() == 79
    assert first_alarm("--planned-steps", 100) == 70


@pytest.mark.parametrize("stated", ["500", "abc", -5, 0, 2.5, [3]])
def test_a_length_that_is_none_is_as_if_it_were_not_stated(tmp_path: Path, stated: object) -> None:
    recorded = Path(__file__).parents[2] / "data" / "failures" / "entropy-bonus-late-3"
    shutil.copytree(recorded, folder := tmp_path / "run")
    (folder / RUN).write_text(json.dumps(read_meta(folder) | {"planned_steps": stated}))
    (found,) = objects(collapse_lab("replay", "--json", folder))
    assert next(a["step"] for a in found["alarms"] if a["detector"] == "e-detector") == 79
    assert collapse_lab("report", folder, "--out", tmp_path / "a.md").exit_code == 0


def test_several_runs_in_one_log_are_judged_and_labelled_apart(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    writer = RunWriter(folder)
    for run, broken_from in (("a", 2), ("b", 9)):
        for step in range(5):
            values = {"optim/grad_norm": math.nan if step >= broken_from else 0.5}
            writer.append(Record(step, values=values, notes={NEW_RUN: run} if step == 0 else {}))
    writer.finish()
    (found,) = objects(collapse_lab("replay", "--json", folder))
    assert found["steps"] == 10
    assert [(a["run"], a["step"]) for a in found["alarms"]] == [("a", 2)]
    labels = objects(collapse_lab("label", "--json", folder))
    assert [(label["run"], label["onset"]) for label in labels] == [("a", 2), ("b", None)]
