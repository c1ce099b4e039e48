"""trainer_state.json, as it is saved anew with every checkpoint."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from collapse_lab.readers.reader import Log, read
from collapse_lab.records import RESTART


def entry(step: int, **values: float) -> dict[str, Any]:
    return {"step": step, "epoch": step / 10, "loss": 0.5, "reward": step / 4, **values}


def save(path: Path, history: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"global_step": len(history), "log_history": history}))


def test_bare_nan_is_nan_and_the_summary_is_no_step(tmp_path: Path) -> None:
    path = tmp_path / "trainer_state.json"
    history = [entry(1), entry(2, grad_norm=math.nan), {"step": 2, "train_runtime": 9.0}]
    save(path, history)
    assert "NaN" in path.read_text()
    records, log = read(path)
    assert (log.format, log.framework) == ("trainer-state", "trl")
    assert [record.step for record in records] == [1, 2]
    assert math.isnan(records[1].values["optim/grad_norm"])
    assert records[1].values["reward/mean"] == 0.5


def test_an_evaluation_is_part_of_its_step(tmp_path: Path) -> None:
    path = tmp_path / "trainer_state.json"
    save(path, [entry(1), {"step": 1, "epoch": 0.1, "eval_reward": 0.75}, entry(2)])
    records, _ = read(path)
    assert [record.step for record in records] == [1, 2]
    assert records[0].values["eval/score"] == 0.75


def test_a_live_file_gives_what_each_checkpoint_adds(tmp_path: Path) -> None:
    path = tmp_path / "trainer_state.json"
    history = [entry(1), entry(2)]
    save(path, history)
    log = Log(path)
    assert [record.step for record in log.new()] == [1]
    path.write_text('{"log_history": [{"st')  # being written
    assert log.new() == []
    history += [entry(3), entry(4)]
    save(path, history)
    assert [record.step for record in log.new()] == [2, 3]
    assert log.new() == []
    assert [record.step for record in log.close()] == [4]


def test_another_run_in_the_same_file_is_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "trainer_state.json"
    save(path, [entry(1), entry(2), entry(3)])
    log = Log(path)
    log.new()
    save(path, [entry(1, kl=0.5), entry(2, kl=0.5)])
    records = log.close()
    assert [(record.step, RESTART in record.notes) for record in records] == [
        (3, False),
        (1, True),
        (2, False),
    ]


def test_the_newest_checkpoint_of_a_folder_is_read(tmp_path: Path) -> None:
    save(tmp_path / "checkpoint-2" / "trainer_state.json", [entry(1), entry(2)])
    log = Log(tmp_path)
    assert [record.step for record in log.new()] == [1]
    save(tmp_path / "checkpoint-4" / "trainer_state.json", [entry(n) for n in range(1, 5)])
    assert [record.step for record in log.close()] == [2, 3, 4]


def test_a_history_saved_alone_is_read_too(tmp_path: Path) -> None:
    modern = entry(1, **{"clip_ratio/region_mean": 0.0, "completions/mean_length": 99.0})
    for name, document in [("a.json", [modern, entry(2)]), ("b.json", {"steps": [modern]})]:
        (tmp_path / name).write_text(json.dumps(document))
        records, log = read(tmp_path / name)
        assert (log.format, log.framework) == ("trainer-state", "trl")
        assert records[0].values["reward/mean"] == 0.25


def test_a_run_resumed_from_an_earlier_checkpoint_is_read_from_there_on(tmp_path: Path) -> None:
    """The entries before it stand in the new history, too; NaN is no difference."""
    lost = entry(2, grad_norm=math.nan)
    save(tmp_path / "checkpoint-4" / "trainer_state.json", [entry(1), lost, entry(3), entry(4)])
    log = Log(tmp_path)
    assert [record.step for record in log.new()] == [1, 2, 3]
    again = [entry(step, kl=0.5) for step in (3, 4, 5, 6)]
    save(tmp_path / "checkpoint-6" / "trainer_state.json", [entry(1), lost, *again])
    records = log.close()
    assert [(record.step, RESTART in record.notes) for record in records] == [
        (4, False),
        (3, True),
        (4, False),
        (5, False),
        (6, False),
    ]
    assert records[1].values["kl/ref"] == 0.5
