"""verl's console lines of every age, and the JSON lines of its `file` backend."""

from __future__ import annotations

import json
import math

import pytest

from collapse_lab.readers.base import Row
from collapse_lab.readers.verl import NULL, VerlConsole, VerlFile
from collapse_lab.records import RESTART


def console(*lines: str) -> list[Row]:
    form = VerlConsole()
    return [row for line in lines for row in form.feed(line)]


@pytest.mark.parametrize(
    ("text", "entropy", "lr"),
    [
        ("actor/entropy:0.098 - actor/lr:0.000", 0.098, 0.0),  # to mid-2025
        ("actor/entropy:0.09768 - actor/lr:1e-06", 0.09768, 1e-06),
        (
            "actor/entropy:np.float64(0.09767807275056839) - actor/lr:1e-06",
            0.09767807275056839,
            1e-6,
        ),
        ("actor/entropy:nan - actor/lr:inf", math.nan, math.inf),
        ("actor/entropy:np.float32(nan) - actor/lr:-inf", math.nan, -math.inf),
    ],
)
def test_every_number_format_is_read(text: str, entropy: float, lr: float) -> None:
    (row,) = console(f"step:7 - {text} - perf/throughput:12")
    assert row.step == 7
    assert row.values == {
        "actor/entropy": pytest.approx(entropy, rel=0, nan_ok=True),
        "actor/lr": lr,
        "perf/throughput": 12.0,
    }


@pytest.mark.parametrize(
    "line",
    [
        "\x1b[36m(TaskRunner pid=247607)\x1b[0m step:3 - a/b:0.5 - c:1",
        "(main_task pid=12, ip=10.0.0.3) step:3 - a/b:0.5 - c:1",
        "\rTraining Progress:  18%|#8   | 54/300 [29:47<2:15:42, 32.83s/it]step:3 - a/b:0.5 - c:1",
        "2026-01-01 10:00:00,123 INFO step:3 - a/b:0.5 - c:1\r\n",
        "step:3 - a/b:0.5 - c:1\rTraining Progress:  18%|#8   | 54/300 [29:47<2:15:42]",
        "(TaskRunner pid=1) step:3 - a/b:0.5 - c:1 [repeated 2x across cluster] (Ray deduplicates)",
    ],
)
def test_what_stands_around_the_metrics_does_not_matter(line: str) -> None:
    (row,) = console(line)
    assert (row.step, row.values) == (3, {"a/b": 0.5, "c": 1.0})


def test_keys_may_hold_at_signs_slashes_and_dashes() -> None:
    (row,) = console("step:0 - val-core/openai/gsm8k/reward/mean@1:0.25 - val-aux/x/worst@3/std:-1")
    assert row.values == {
        "val-core/openai/gsm8k/reward/mean@1": 0.25,
        "val-aux/x/worst@3/std": -1.0,
    }


def test_text_and_flags_are_told_apart() -> None:
    (row,) = console("step:1 - done:True - name:grpo - file:1_000 - x:2")
    assert row.values == {"done": 1.0, "x": 2.0}


@pytest.mark.parametrize(
    "line",
    [
        "test_gen_batch meta info: {'validate': True, 'global_steps': 700}",
        "WARN: grad_norm is not finite: nan",
        " - training/global_step:5 - critic/score/mean:0.5",  # the rest of a wrapped line
        "step: 5 - loss: 0.1",
        "",
    ],
)
def test_other_lines_say_nothing(line: str) -> None:
    assert console(line) == []


def test_a_cut_line_loses_its_last_number_rather_than_its_digits() -> None:
    whole = "step:1 - actor/entropy:0.125 - actor/lr:1e-06 - perf/throughput:55.18"
    rows = console(
        whole, "step:2 - actor/entropy:0.12", "step:3 - actor/entropy:0.125 - actor/lr:1e-"
    )
    assert [row.values for row in rows[1:]] == [{"actor/entropy": 0.125}]
    assert rows[1].step == 3


def test_a_step_with_more_keys_than_usual_is_not_cut() -> None:
    rows = console("step:1 - a:1 - b:2", "step:2 - a:1 - b:2 - val/x:3", "step:3 - a:1 - b:2")
    assert [row.values for row in rows] == [
        {"a": 1.0, "b": 2.0},
        {"a": 1.0, "b": 2.0, "val/x": 3.0},
        {"a": 1.0, "b": 2.0},
    ]


def test_a_step_logged_twice_is_a_resumed_run() -> None:
    rows = console("step:4 - a:1", "step:5 - a:1", "step:5 - a:2")
    assert [RESTART in row.notes for row in rows] == [False, False, True]


def test_null_in_the_file_is_a_number_that_json_cannot_express() -> None:
    line = json.dumps({"step": 12, "data": {"actor/lr": 1e-6, "actor/grad_norm": None, "s": "x"}})
    (row,) = VerlFile().feed(line)
    assert row.step == 12
    assert row.values["actor/lr"] == 1e-6
    assert math.isnan(row.values["actor/grad_norm"])
    assert row.notes == {"actor/grad_norm": NULL}
    assert "s" not in row.values


@pytest.mark.parametrize(
    "line",
    [
        '{"step":1,"data":[1]}',
        '{"step":"1","data":{"a":1}}',
        '{"step":1,"data":{"a":1}',
        '{"data":1}',
    ],
)
def test_other_json_is_not_verls_file(line: str) -> None:
    assert VerlFile().feed(line) == []
    assert VerlFile.claims([line]) == 0.0
