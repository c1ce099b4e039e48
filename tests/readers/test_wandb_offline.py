"""W&B's `.wandb` files, written by W&B itself."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from collapse_lab.readers.base import UnreadableLog
from collapse_lab.readers.reader import Log, read
from collapse_lab.readers.wandb_offline import configure
from collapse_lab.records import NEW_RUN, RESTART, Record

pytest.importorskip("wandb", reason="needs wandb")

PROGRAM = """
import sys, wandb
from argparse import Namespace
critic = Namespace(clip=(0.2, 0.3), adam=Namespace(lr=1e-6), path="a=b(c)")
run = wandb.init(
    project="p", mode="offline", dir=sys.argv[1], settings={"console": "off"},
    config={"epsilon": 0.2, "actor": {"lr": 1e-6, "clip": [1, 2]}, "gone": True, "critic": critic},
)
run.config.update({"epsilon": 0.3, "later": None}, allow_val_change=True)
for step in range(4):
    run.log({
        "reward": float("nan") if step == 2 else step / 2,
        "actor": {"grad": float("inf")},
        "note": "text" * 9000,
    })
run.log({"loss": 1.0})
run.log({"eval_reward": 2.0}, step=9)
for step, key in enumerate(("a", "b", "a", "b"), 20):
    run.log({key: 1.0}, step=step)
run.finish()
"""

AS_A_TRAINER = """
import sys, wandb
run = wandb.init(project="p", mode="offline", dir=sys.argv[1], settings={"console": "off"})
run.define_metric("train/global_step")
run.define_metric("*", step_metric="train/global_step", step_sync=True)
run.log({"train/global_step": 5})
for step in (10, 20, 30):
    run.log({"mine": step / 10})
    run.log({"train/reward": step / 100, "train/loss": 0.5, "train/global_step": step})
    if step == 20:
        run.log({"eval/reward": 0.7, "train/global_step": step})
run.finish()
"""
"""What W&B is told by the transformers Trainer, and beside it by a reward function."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written_by(PROGRAM, tmp_path_factory.mktemp("wandb"))


def written_by(program: str, folder: Path) -> Path:
    environment = {**os.environ, "WANDB_SILENT": "true", "WANDB_DISABLE_GIT": "true"}
    subprocess.run(
        [sys.executable, "-c", program, str(folder)], check=True, env=environment, timeout=300
    )
    return folder


@pytest.fixture
def file(folder: Path) -> Path:
    (found,) = {path.resolve() for path in folder.glob("wandb/*/*.wandb")}
    return found


def test_the_history_of_a_run_is_read_whole(file: Path) -> None:
    records, log = read(file)
    assert log.format == "wandb"
    assert [record.step for record in records] == [0, 1, 2, 3, 9, 20, 22]
    rewards = [record.values["reward/mean"] for record in records[:4]]
    assert rewards[:2] == [0.0, 0.5] and math.isnan(rewards[2]) and rewards[3] == 1.5
    assert all(record.values["actor/grad"] == math.inf for record in records[:4])
    assert all(record.time > 1.7e9 for record in records)
    assert "note" not in records[0].values and "_runtime" not in records[0].values


def test_the_configuration_is_read_with_what_has_changed_in_it(file: Path) -> None:
    _, log = read(file)
    assert log.config() == {
        "epsilon": 0.3, "actor": {"lr": 1e-6, "clip": [1, 2]}, "gone": True, "later": None,
        "critic": {"clip": (0.2, 0.3), "adam": {"lr": 1e-6}, "path": "a=b(c)"},
    }  # fmt: skip


def test_a_setting_may_change_within_another_or_go_and_what_is_no_json_is_left_out() -> None:
    from wandb.proto.wandb_internal_pb2 import ConfigRecord  # pyright: ignore

    config: dict[str, Any] = {"actor": {"lr": 1e-6}, "gone": True}
    changed = ConfigRecord()
    changed.update.add(nested_key=["actor", "clip"], value_json="0.2")
    changed.update.add(key="broken", value_json="{")
    changed.update.add(key="_wandb", value_json="{}")
    changed.remove.add(key="gone")
    configure(config, changed)
    assert config == {"actor": {"lr": 1e-6}, "actor.clip": 0.2}


def test_calls_that_log_other_keys_are_parts_of_one_step(file: Path) -> None:
    records, _ = read(file)
    assert records[3].values["loss/total"] == 1.0
    assert records[4].values == {"eval/score": 2.0}
    assert [dict(record.values) for record in records[5:]] == [{"a": 1.0, "b": 1.0}] * 2


def test_a_step_that_the_trainer_states_is_believed_before_the_count_of_calls(
    tmp_path: Path,
) -> None:
    records, _ = read(written_by(AS_A_TRAINER, tmp_path) / "wandb")
    assert [(record.step, dict(record.values)) for record in records] == [
        (5, {"mine": 1.0}),
        (10, {"reward/mean": 0.1, "loss/total": 0.5, "mine": 2.0}),
        (20, {"reward/mean": 0.2, "loss/total": 0.5, "eval/score": 0.7, "mine": 3.0}),
        (30, {"reward/mean": 0.3, "loss/total": 0.5}),
    ]
    assert not any(record.notes for record in records)


def test_a_folder_holds_its_runs_once_each(folder: Path, file: Path, tmp_path: Path) -> None:
    records, _ = read(folder / "wandb")
    assert len(records) == 7 and NEW_RUN not in records[0].notes
    for name in ("run-a", "run-b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.wandb").write_bytes(file.read_bytes())
    records, _ = read(tmp_path)
    assert [record.notes.get(NEW_RUN) for record in records if NEW_RUN in record.notes] == [
        "run-a",
        "run-b",
    ]
    assert len(records) == 14


def test_a_run_keeps_its_name_when_it_is_resumed_or_another_begins(
    file: Path, tmp_path: Path
) -> None:
    def begin(folder: str, run: str) -> None:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{run}.wandb").write_bytes(file.read_bytes())

    begin("run-20261126_1-a", "run-a")
    log = Log(tmp_path)
    found = log.new()
    begin("run-20261126_2-a", "run-a")
    found += log.new()
    begin("run-20261126_3-b", "run-b")
    found += log.close()
    marks = [set(record.notes) & {NEW_RUN, RESTART} for record in found]
    assert [index for index, mark in enumerate(marks) if mark] == [7, 14]
    assert (marks[7], marks[14], found[14].notes[NEW_RUN]) == ({RESTART}, {NEW_RUN}, "run-b")
    assert log.config("")["epsilon"] == log.config("run-b")["epsilon"] == 0.3


def test_a_file_that_grows_in_pieces_gives_each_step_once(file: Path, tmp_path: Path) -> None:
    data = file.read_bytes()
    live = tmp_path / "run-x.wandb"
    live.touch()
    log = Log(live)
    found: list[Record] = []
    with live.open("ab", buffering=0) as growing:
        for start in range(0, len(data), 997):
            growing.write(data[start : start + 997])
            found += log.new()
    found += log.close()
    assert [record.to_json() for record in found] == [record.to_json() for record in read(file)[0]]


def test_another_file_with_the_same_ending_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wandb").write_bytes(b"something else")
    with pytest.raises(UnreadableLog, match="does not begin like"):
        read(tmp_path / "a.wandb")


def test_without_wandb_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.wandb").touch()
    for name in [name for name in sys.modules if name.partition(".")[0] == "wandb"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UnreadableLog, match=r"pip install 'collapse-lab\[trackers\]'"):
        read(tmp_path / "a.wandb")
