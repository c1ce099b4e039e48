"""`key: value` lines."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.readers.base import UnreadableLog
from collapse_lab.readers.key_value import KeyValueLines
from collapse_lab.readers.reader import Log, read


def log_of(path: Path, *lines: str) -> Path:
    path.write_text("".join(line + "\n" for line in lines))
    return path


def only_row(line: str) -> tuple[int | None, dict[str, float]]:
    """What one line states, given that lines like it came before."""
    form = KeyValueLines()
    rows = [row for _ in range(5) for row in form.feed(line)]
    return rows[-1].step, dict(rows[-1].values)


@pytest.mark.parametrize(
    ("line", "step", "values"),
    [
        (
            "Epoch:[1/1](2/500), Reward: 0.38, KL_ref: -0.01, Adv Std: 0.9, LR: 0.00000099",
            2,
            {"Reward": 0.38, "KL_ref": -0.01, "Adv Std": 0.9, "LR": 9.9e-7},
        ),
        ("global_step=123, episodic_return=9.0", 123, {"episodic_return": 9.0}),
        ("global step=44, episodic return=-1e3", 44, {"episodic return": -1000.0}),
        ("Step 12: loss=0.1 reward=0.3", 12, {"loss": 0.1, "reward": 0.3}),
        ("Step 12 | 3.5s | Loss 0.01 | Grad. Norm 2.5", 12, {"Loss": 0.01, "Grad. Norm": 2.5}),
        ("2024-05-01 10:00:00,123 INFO Step 7/90 loss: .5", 7, {"loss": 0.5}),
        ("[iter 40] kl = 1e-3; entropy = 0.7", 40, {"kl": 0.001, "entropy": 0.7}),
        ("12%|#  | 1/9 [00:01<00:02]\rstep 3 loss: 1.5", 3, {"loss": 1.5}),
        ("(worker pid=12) step: 5, loss: 2", 5, {"loss": 2.0}),
    ],
)
def test_the_usual_spellings(line: str, step: int, values: dict[str, float]) -> None:
    assert only_row(line) == (step, values)


def test_nan_and_infinity_are_numbers() -> None:
    _, values = only_row("step 1, loss: nan, kl: inf, ratio: -inf")
    assert math.isnan(values.pop("loss")) and values == {"kl": math.inf, "ratio": -math.inf}


def test_what_is_not_a_plain_number_is_left_out() -> None:
    line = "step 1, loss: 0.5, time: 3.2s, tokens: 1,234, eta: 1:23:45, version: 1.2.3, acc: 9%"
    assert only_row(line) == (1, {"loss": 0.5})


def test_a_step_within_an_epoch_goes_on_where_the_last_epoch_ended(tmp_path: Path) -> None:
    lines = [f"Epoch [{e}/2], Step [{s}/3], loss: {e}.{s}" for e in (1, 2) for s in (1, 2, 3)]
    records, _ = read(log_of(tmp_path / "a.log", *lines))
    assert [record.step for record in records] == [1, 2, 3, 4, 5, 6]


def test_chatter_before_the_first_step_is_no_step(tmp_path: Path) -> None:
    chatter = "seed: 1, world size: 8", "params: 30, layers: 12", "loading shard: 3"
    lines = [f"step {step}: loss=1 reward={step}" for step in range(1, 5)]
    records, log = read(log_of(tmp_path / "a.log", *chatter, *lines))
    assert [(record.step, record.values["reward/mean"]) for record in records] == [
        (1, 1.0),
        (2, 2.0),
        (3, 3.0),
        (4, 4.0),
    ]
    assert log.format == "key-value"


def test_lines_with_other_keys_join_the_step_they_name(tmp_path: Path) -> None:
    lines = [f"step {step}, loss: 1, kl: 2" for step in (1, 2, 3)]
    lines[1:1] = ["step 1, eval_reward: 7"]
    records, _ = read(log_of(tmp_path / "a.log", *lines))
    assert records[0].values == {"loss/total": 1.0, "kl/ref": 2.0, "eval/score": 7.0}


def test_lines_without_a_step_are_counted_once_five_are_alike(tmp_path: Path) -> None:
    lines = [f"loss: {k}, reward: 0.5" for k in range(6)]
    records, _ = read(log_of(tmp_path / "a.log", *lines))
    assert [(record.step, record.values["loss/total"]) for record in records] == [
        (k, float(k)) for k in range(6)
    ]
    with pytest.raises(UnreadableLog, match="loss: 0"):
        read(log_of(tmp_path / "b.log", *lines[:4]))


def test_a_growing_log_is_followed(tmp_path: Path) -> None:
    lines = [f"step {step}, loss: 1, kl: {step}" for step in range(1, 6)]
    path = log_of(tmp_path / "a.log", *lines[:3])
    log = Log(path)
    assert [record.step for record in log.new()] == [1, 2]
    with path.open("a") as file:
        file.write(lines[3] + "\n" + lines[4][:-2])
    assert [record.step for record in log.new()] == [3]
    with path.open("a") as file:
        file.write(lines[4][-2:] + "\n")
    assert [(record.step, record.values["kl/ref"]) for record in log.close()] == [
        (4, 4.0),
        (5, 5.0),
    ]


def test_steps_that_are_counted_anew_in_every_epoch_go_on(tmp_path: Path) -> None:
    lines = [f"Epoch {e} Step {s}: loss=1 kl={e}" for e in (0, 1, 2) for s in (10, 20)]
    records, _ = read(log_of(tmp_path / "a.log", *lines))
    assert [record.step for record in records] == [10, 20, 21, 31, 32, 42]
    assert not any(record.notes for record in records)


@given(st.lists(st.text(max_size=80), max_size=10))
def test_no_text_breaks_the_reader(lines: list[str]) -> None:
    form = KeyValueLines()
    for line in lines:
        form.feed(line)
    form.close()


def test_a_line_without_end_takes_no_time() -> None:
    import time

    start = time.perf_counter()
    for line in ("a " * 9_000, "a:" * 9_000, "step " * 3_900, "1" * 19_000, "|" * 19_000):
        KeyValueLines().feed(line)
    assert time.perf_counter() - start < 2
