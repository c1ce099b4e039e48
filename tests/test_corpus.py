"""A corpus is whatever finished runs and logs lie below a folder; the rest is named."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner

from collapse_lab.cli import main
from collapse_lab.corpus import CorpusRun, LeftOut, read_corpus
from collapse_lab.records import Record
from collapse_lab.store import RunWriter

LOG = "".join(
    f"step:{step} - actor/grad_norm:0.5 - critic/score/mean:{min(step, 30) / 40:.3f}\n"
    for step in range(1, 61)
)


def keep(folder: Path, meta: dict[str, object], rewards: list[float]) -> None:
    writer = RunWriter(folder, meta)
    for step, reward in enumerate(rewards):
        writer.append(Record(step, values={"reward/mean": reward}))
    writer.finish()


def corpus(*roots: Path) -> tuple[dict[str, CorpusRun], dict[str, str]]:
    found = list(read_corpus(roots))
    runs = {one.name: one for one in found if isinstance(one, CorpusRun)}
    return runs, {one.name: one.reason for one in found if isinstance(one, LeftOut)}


def test_a_run_folder_tells_its_task_algorithm_and_failure(tmp_path: Path) -> None:
    config = {"task": "sokoban", "algorithm": "grpo"}
    meta = {"framework": "collapse-lab", "config": config}
    meta |= {"failure": "stale sampler", "setting": "lag"}
    keep(tmp_path / "a", meta, [0.5] * 30)
    runs, left_out = corpus(tmp_path)
    assert left_out == {}
    assert runs["a"].facts == {
        "framework": "collapse-lab",
        "task": "sokoban",
        "algorithm": "grpo",
        "failure": "stale sampler",
        "setting": "lag",
    }
    assert runs["a"].group == "collapse-lab/sokoban/grpo"
    assert len(runs["a"].records) == 30


def test_a_run_was_made_when_its_first_record_says_else_when_its_folder_does(
    tmp_path: Path,
) -> None:
    keep(tmp_path / "stated", {"started": 7.0}, [0.5] * 30)
    writer = RunWriter(tmp_path / "timed", {"started": 7.0})
    for step, time in enumerate((math.nan, 8.0, 9.0)):
        writer.append(Record(step, time, {"reward/mean": 0.5}))
    writer.finish()
    (tmp_path / "told by nobody.log").write_text(LOG)
    runs, _ = corpus(tmp_path)
    assert (runs["stated"].made, runs["timed"].made) == (7, 8)
    assert math.isnan(runs["told by nobody.log"].made)


def test_a_sealed_run_is_read_without_its_lines(tmp_path: Path) -> None:
    keep(tmp_path / "a", {}, [0.5] * 30)
    (tmp_path / "a" / "records.jsonl").unlink()
    assert len(corpus(tmp_path)[0]["a"].records) == 30


def test_a_stated_label_is_believed_before_the_rule(tmp_path: Path) -> None:
    keep(tmp_path / "a", {"label": {"class": "collapse", "onset": 12, "cross": 15}}, [0.5] * 30)
    label = corpus(tmp_path)[0]["a"].label
    assert (label.kind, label.onset, label.cross) == ("collapse", 12, 15)


@pytest.mark.parametrize(
    "label",
    [
        "collapse",
        {"kind": "collapse"},
        {"class": "collapsed", "onset": 12, "cross": 15},
        {"class": "collapse"},  # when?
        {"class": "collapse", "onset": "12", "cross": "15"},
    ],
)
def test_a_run_whose_stated_label_cannot_be_read_is_left_out_and_the_others_are_not(
    label: object, tmp_path: Path
) -> None:
    keep(tmp_path / "a", {"label": label}, [0.5] * 30)
    keep(tmp_path / "b", {"label": {"class": "healthy"}}, [0.5] * 30)
    runs, left_out = corpus(tmp_path)
    assert runs.keys() == {"b"} and "the label in its run.json" in left_out["a"]


def test_what_label_prints_can_be_stated(tmp_path: Path) -> None:
    keep(tmp_path / "a", {}, [0.1 * min(step, 8) if step < 60 else 0.0 for step in range(90)])
    printed = CliRunner().invoke(main, ["label", "--json", str(tmp_path / "a")]).stdout
    keep(tmp_path / "b", {"label": json.loads(printed)}, [0.5] * 30)
    runs, _ = corpus(tmp_path)
    assert runs["b"].label == runs["a"].label
    assert runs["a"].label.kind == "collapse"


def test_logs_of_others_are_found_at_any_depth_and_grouped_by_their_folder(tmp_path: Path) -> None:
    (tmp_path / "mine" / "deep").mkdir(parents=True)
    (tmp_path / "mine" / "deep" / "train.log").write_text(LOG)
    (tmp_path / "mine" / "other.log").write_text(LOG)
    runs, _ = corpus(tmp_path / "mine")
    assert runs["deep/train.log"].group == "mine/deep"
    assert runs["other.log"].group == "mine"
    assert runs["other.log"].facts["framework"] == "verl"
    assert runs["other.log"].facts["failure"] == runs["other.log"].label.kind == "healthy"


def test_a_folder_of_mixed_logs_is_no_event_folder(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    for folder in (tmp_path / "events", tmp_path / "mixed"):
        writer = SummaryWriter(str(folder))
        for step in range(30):
            writer.add_scalar("reward", 0.5, step)
        writer.close()
    (tmp_path / "mixed" / "train.log").write_text(LOG)
    runs, _ = corpus(tmp_path)
    events = next(name for name in runs if name.startswith("mixed/events"))
    assert set(runs) == {"events", events, "mixed/train.log"}


def test_one_log_alone_is_a_corpus(tmp_path: Path) -> None:
    (tmp_path / "train.log").write_text(LOG)
    assert list(corpus(tmp_path / "train.log")[0]) == ["train.log"]


def test_what_is_no_finished_run_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing to see\n")
    RunWriter(tmp_path / "live").append(Record(0, values={"reward/mean": 0.1}))
    (tmp_path / ".hidden").write_text("x")
    runs, left_out = corpus(tmp_path)
    assert runs == {}
    assert left_out["live"] == "not finished"
    assert "fits no known format" in left_out["notes.txt"]
    assert set(left_out) == {"live", "notes.txt"}


def test_a_run_whose_file_is_torn_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    keep(tmp_path / "torn", {}, [0.5] * 30)
    keep(tmp_path / "whole", {}, [0.5] * 30)
    (tmp_path / "torn" / "run.json").write_text("")
    runs, left_out = corpus(tmp_path)
    assert list(runs) == ["whole"]
    assert list(left_out) == ["torn"] and left_out["torn"].startswith("it/run.json holds no JSON")


def test_two_runs_in_one_log_are_two(tmp_path: Path) -> None:
    lines = [
        {"step": step, "values": {"reward/mean": 0.4}}
        | ({"notes": {"event/new_run": name}} if step == 0 else {})
        for name in ("first", "second")
        for step in range(20)
    ]
    (tmp_path / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    runs, _ = corpus(tmp_path)
    assert list(runs) == ["records.jsonl [first]", "records.jsonl [second]"]


def test_a_run_that_lies_below_two_of_the_folders_counts_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        keep(tmp_path / "runs" / name, {}, [0.5] * 30)
    found = list(read_corpus([tmp_path / "runs" / "b", tmp_path]))
    assert [one.name for one in found] == ["b", "runs/a"]
