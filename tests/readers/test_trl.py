"""The transformers Trainer's console: dicts of two ages, and steps from the bars around them."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from collapse_lab.readers.base import Row
from collapse_lab.readers.literals import NULL
from collapse_lab.readers.reader import read
from collapse_lab.readers.trl import TrlConsole


def console(*lines: str) -> list[Row]:
    form = TrlConsole()
    return [row for line in lines for row in form.feed(line)] + form.close()


def bar(at: int, total: int = 9) -> str:
    return f"\r {at * 100 // total:3d}%|###   | {at}/{total} [00:10<00:40,  5.00s/it]"


WIPE = "\r" + " " * 40 + "\r"


def log(epoch: float, **values: object) -> str:
    return str({"loss": 0.5, **values, "epoch": epoch})


def test_floats_strings_none_and_bare_nan_are_read() -> None:
    rows = console(
        "{'loss': -0.0982, 'grad_norm': nan, 'reward': inf, 'kl': None, 'epoch': 0.03}",
        "{'loss': '0.01', 'grad_norm': 'nan', 'learning_rate': '1e-05', 'epoch': '0.04'}",
        "{'loss': np.float64(0.25), 'reward': -inf, 'epoch': 0.05}",
    )
    first, second, third = (row.values for row in rows)
    assert (first["loss"], first["reward"], first["epoch"]) == (-0.0982, math.inf, 0.03)
    assert math.isnan(first["grad_norm"]) and math.isnan(first["kl"])
    assert rows[0].notes == {"kl": NULL}
    assert (second["loss"], second["learning_rate"]) == (0.01, 1e-05)
    assert math.isnan(second["grad_norm"])
    assert (third["loss"], third["reward"]) == (0.25, -math.inf)


def test_the_step_is_that_of_the_bar_before_the_dict() -> None:
    rows = console(
        f"{bar(0)}{bar(1)}{bar(5)}{WIPE}{log(0.1)}", f"{bar(5)}{bar(9)}{WIPE}{log(0.2)}", bar(9)
    )
    assert [row.step for row in rows] == [5, 9]


def test_bars_that_come_long_before_their_buffered_dicts_are_matched_to_them() -> None:
    bars = "".join(f"{bar(at)}{WIPE}{bar(at)}" for at in (2, 4, 6))
    rows = console(f"{bar(0)}{bars}{log(0.1)}", log(0.2), log(0.3))
    assert [row.step for row in rows] == [2, 4, 6]


def test_a_burst_in_the_middle_of_a_write_keeps_its_steps() -> None:
    # The buffer overflows while step 3 is written: 1 and 2 come out, then its bar, then 3 itself.
    lines = [
        f"{bar(1)}{WIPE}{bar(1)}{bar(2)}{WIPE}{bar(2)}{bar(3)}{WIPE}{log(0.1)}",
        log(0.2),
        f"{bar(3)}{bar(4)}{WIPE}{bar(4)}{log(0.3)}",
        log(0.4),
    ]
    assert [row.step for row in console(*lines)] == [1, 2, 3, 4]


def test_without_bars_the_dicts_are_counted() -> None:
    assert [row.step for row in console(log(0.1), log(0.2), log(0.3))] == [1, 2, 3]


def test_ms_swift_states_the_step() -> None:
    line = "{'loss': 0.5, 'epoch': 0.1, 'global_step/max_steps': '5/3766', 'percentage': '0.13%'}"
    assert [(row.step, row.values) for row in console(line)] == [(5, {"loss": 0.5, "epoch": 0.1})]


def test_an_evaluation_joins_the_next_step_and_says_when_it_was() -> None:
    rows = console(
        f"{bar(1)}{WIPE}{log(0.1)}",
        f"{bar(1)}{WIPE}" + "{'eval_loss': 0.25, 'eval_reward': 0.75, 'epoch': 0.1}",
        f"{bar(1)}{bar(2)}{WIPE}{log(0.2)}",
    )
    assert [row.step for row in rows] == [1, 2]
    assert rows[1].values == {"eval_loss": 0.25, "eval_reward": 0.75, "loss": 0.5, "epoch": 0.2}
    assert rows[1].notes["eval_reward"] == "measured after step 1"


def test_an_evaluation_at_the_end_is_a_row_of_the_last_step() -> None:
    rows = console(log(0.1), log(0.2), "{'eval_reward': 0.75, 'epoch': 0.2}")
    assert [(row.step, "loss" in row.values) for row in rows] == [(1, True), (2, True), (2, False)]


def test_the_summary_of_the_run_is_no_step() -> None:
    rows = console(log(0.1), "{'train_runtime': 648.2, 'train_loss': 0.18, 'epoch': 0.1}")
    assert len(rows) == 1


def test_a_process_that_begins_anew_goes_back() -> None:
    lines = [f"{bar(at - 1)}{bar(at)}{WIPE}{log(at / 10)}" for at in (1, 2, 3)]
    again = [f"{bar(3)}{bar(0)}{bar(1)}{WIPE}{log(0.1)}", f"{bar(1)}{bar(2)}{WIPE}{log(0.2)}"]
    assert [row.step for row in console(*lines, *again)] == [1, 2, 3, 1, 2]


def test_bars_of_other_work_are_not_the_step() -> None:
    rows = console(
        "\rLoading weights: 100%|###| 427/427 [00:00<00:00]\r100%|###| 25/25 [00:01<00:00]",
        f"{bar(0)}{bar(1)}{WIPE}{log(0.1)}",
        f"{bar(1)}{bar(2)}{WIPE}{log(0.2)}",
    )
    assert [row.step for row in rows] == [1, 2]


@pytest.mark.parametrize(
    "line",
    [
        "Updated tokens: {'bos_token_id': None, 'pad_token_id': 151643}.",
        "{'loss': 0.5, 'grad_norm': 0.12, 'epo",  # cut
        "{'loss': 0.5, 'gra\r 10%|# | 21/200 [00:05<00:40]d_norm': 0.3, 'epoch': 0.1}",
        "{'loss': 0.5, {'epoch': 0.1}",
        "{'prompt': 'a loss', 'epoch_name': 'x'}",
    ],
)
def test_other_and_broken_dicts_state_nothing(line: str) -> None:
    assert console(line) == []
    assert TrlConsole.claims([line]) == 0.0


def test_lists_and_texts_in_a_dict_are_left_out() -> None:
    line = "INFO: {'loss': 0.5, 'shape': [1, {'a': 2}], 'note': \"it's\", 'epoch': 0.1} {'x': 1}"
    (row,) = console(line)
    assert row.values == {"loss": 0.5, "epoch": 0.1}


BOTH = [True, False]
"""Whether standard output is buffered: the two ways in which logs and bars interleave."""

TRAINING = """
import io, json, sys, time
from types import SimpleNamespace
from transformers.trainer_callback import ProgressCallback, TrainerControl, TrainerState

def train(stride, eval_stride, pause):
    bar, control, args = ProgressCallback(), TrainerControl(), SimpleNamespace()
    state = TrainerState(max_steps=40, is_world_process_zero=True, is_local_process_zero=True)
    bar.on_train_begin(args, state, control)
    for step in range(1, 41):
        time.sleep(pause)
        state.global_step = step
        bar.on_step_end(args, state, control)
        if step % stride == 0:
            logs = {"loss": 0.5, "reward": float(step), "epoch": step / 100}
            bar.on_log(args, state, control, logs=logs)
        if step % eval_stride == 0:
            for _ in range(3):
                bar.on_prediction_step(args, state, control, eval_dataloader=[1, 2, 3])
            logs = {"eval_reward": float(step), "epoch": step / 100}
            bar.on_log(args, state, control, logs=logs)
            bar.on_evaluate(args, state, control)
    bar.on_log(args, state, control, logs={"train_runtime": 1.0, "epoch": 0.4})
    bar.on_train_end(args, state, control)

for stride, eval_stride, pause, buffers in json.loads(sys.argv[1]):
    for buffered in buffers:
        with open(f"{stride}-{eval_stride}-{buffered}.log", "ab", buffering=0) as raw:
            kept = io.BufferedWriter(raw, 512) if buffered else raw
            sys.stdout = io.TextIOWrapper(kept, "utf-8", write_through=True)
            sys.stderr = io.TextIOWrapper(raw, "utf-8", write_through=True)
            train(stride, eval_stride, pause)
            sys.stdout.flush()
            sys.stdout.detach(), sys.stderr.detach()
sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
"""


@pytest.mark.skipif(importlib.util.find_spec("transformers") is None, reason="no transformers")
def test_steps_of_the_real_progress_callback_are_exact(tmp_path: Path) -> None:
    runs = [(1, 10, 0, BOTH), (5, 12, 0, BOTH), (3, 7, 0.02, BOTH), (4, 8, 0.03, BOTH)]
    program = [sys.executable, "-c", TRAINING, json.dumps(runs)]
    subprocess.run(program, cwd=tmp_path, check=True, timeout=300)
    paths = sorted(tmp_path.glob("*.log"))
    assert len(paths) == sum(len(buffers) for *_, buffers in runs)
    for path in paths:
        stride, eval_stride = (int(part) for part in path.stem.split("-")[:2])
        records, found = read(path)
        assert (found.format, found.framework) == ("trl-console", "trl")
        trained = [record for record in records if "reward/mean" in record.values]
        assert [record.step for record in trained] == list(range(stride, 41, stride)), path.name
        assert all(record.values["reward/mean"] == record.step for record in trained)
        scores = [r.values["eval/score"] for r in records if "eval/score" in r.values]
        assert scores == [float(step) for step in range(eval_stride, 41, eval_stride)]
