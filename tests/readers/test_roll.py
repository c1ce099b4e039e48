"""ROLL's tagged and bare lines of metrics."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from collapse_lab.readers.reader import LineReader, read
from collapse_lab.readers.roll import RollConsole

PREFIX = "[2026-08-19 10:00:00] [tracking.py (156)] [INFO] [rank 0] "
METRICS = {"system/step": 3, "critic/score/mean": 0.5, "actor/pg_loss": -0.01}


def test_a_tagged_line_is_a_record() -> None:
    reader = LineReader()
    metrics = {
        "actor/ratio_max@max": 1.5,
        "actor_train/grad_norm": math.nan,
        "critic/score/mean": 0.5,
    }
    line = f"{PREFIX}metrics_tag: {json.dumps({'step': 3, 'metrics': metrics})}"
    (record,) = reader.feed(line)
    assert (reader.format, reader.assembler.names.framework) == ("roll-console", "roll")
    assert record.step == 3
    assert record.values["ratio/max"] == 1.5
    assert record.values["reward/mean"] == 0.5
    assert math.isnan(record.values["optim/grad_norm"])


def test_a_bare_line_is_a_record_unless_its_step_was_tagged() -> None:
    form = RollConsole()
    tagged = f"{PREFIX}metrics_tag: {json.dumps({'step': 3, 'metrics': METRICS})}"
    bare = PREFIX + json.dumps(METRICS)
    assert [row.step for row in form.feed(tagged)] == [3]
    assert form.feed(bare) == []
    (row,) = form.feed(PREFIX + json.dumps({**METRICS, "system/step": 4}))
    assert (row.step, row.values) == (4, {"critic/score/mean": 0.5, "actor/pg_loss": -0.01})


@pytest.mark.parametrize(
    "line",
    [
        PREFIX + '[{"prompt": "x", "response": "y"}]',
        PREFIX + '{"prompt": 1, "system/steps": 3}',
        PREFIX + 'metrics_tag: {"step": 3, "metrics": {"a": 1',
        PREFIX + 'metrics_tag: {"step": null, "metrics": {"a": 1}}',
        PREFIX + 'metrics_tag: {"step": 3, "metrics": [1]}',
    ],
)
def test_other_lines_state_nothing(line: str) -> None:
    assert RollConsole().feed(line) == []


def test_its_metrics_jsonl_is_read_as_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    rows = [{**METRICS, "system/step": n, "actor/ratio_mean": 1.0} for n in range(3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    records, log = read(path)
    assert (log.format, log.framework) == ("jsonl", "roll")
    assert [record.step for record in records] == [0, 1, 2]
    assert records[0].values["ratio/mean"] == 1.0
