"""One JSON document."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from collapse_lab.readers.base import UnreadableLog
from collapse_lab.readers.reader import Log, read


def document(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_lists_of_equal_length_are_columns(tmp_path: Path) -> None:
    content = {
        "timesteps": [100, 200, 300],
        "mean_reward": [1.0, math.nan, None],
        "layers": [64, 64],
        "seed": 7,
    }
    records, log = read(document(tmp_path / "a.json", content))
    assert [record.step for record in records] == [100, 200, 300]
    assert records[0].values == {"reward/mean": 1.0}
    assert [math.isnan(record.values["reward/mean"]) for record in records[1:]] == [True, True]
    assert list(records[2].notes) == ["reward/mean"] and not records[1].notes
    assert log.format == "json"


@pytest.mark.parametrize("nest", [False, True])
def test_a_list_of_dicts_is_rows_at_the_top_or_one_below(tmp_path: Path, nest: bool) -> None:
    rows = [{"step": step, "loss": {"pg": step / 2}, "bad": [1, 2]} for step in range(3)]
    content = {"config": {"lr": [1, 2, 3, 4]}, "steps": rows} if nest else rows
    records, _ = read(document(tmp_path / "a.json", content))
    assert [(record.step, dict(record.values)) for record in records] == [
        (0, {"loss/pg": 0.0}),
        (1, {"loss/pg": 0.5}),
        (2, {"loss/pg": 1.0}),
    ]


def test_a_config_with_a_short_list_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(UnreadableLog, match="fits no known format"):
        read(document(tmp_path / "config.json", {"layers": [64, 64], "lr": 0.1}))


def test_a_history_dumped_again_gives_its_new_rows_and_a_torn_dump_waits(tmp_path: Path) -> None:
    rows = [{"step": step, "loss": 1.0} for step in range(5)]
    path = document(tmp_path / "a.json", rows[:2])
    log = Log(path)
    assert [record.step for record in log.new() + log.flush()] == [0, 1]
    path.write_text(json.dumps(rows)[:-20])
    assert log.new() + log.flush() == []
    document(path, rows)
    assert [record.step for record in log.new() + log.flush()] == [2, 3, 4]
    document(path, [{"step": 0, "loss": 9.0}])
    assert [record.values["loss/total"] for record in log.new() + log.flush()] == [9.0]


def test_a_file_that_goes_and_comes_back_is_followed(tmp_path: Path) -> None:
    rows = [{"step": step, "loss": 1.0} for step in range(3)]
    path = document(tmp_path / "a.json", rows[:2])
    log = Log(path)
    assert [record.step for record in log.new() + log.flush()] == [0, 1]
    path.unlink()
    assert log.new() == []
    document(path, rows)
    assert [record.step for record in log.close()] == [2]
