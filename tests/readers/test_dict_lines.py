"""Dicts that home-grown loops print."""

from __future__ import annotations

import math
from pathlib import Path

from collapse_lab.readers.reader import LineReader, read
from collapse_lab.records import Record


def records(tmp_path: Path, text: str) -> list[Record]:
    path = tmp_path / "train.log"
    path.write_text(text)
    found, log = read(path)
    assert log.format == "dict-lines"
    return found


def test_a_dict_with_a_step_is_a_row_whatever_stands_around_it(tmp_path: Path) -> None:
    lines = ["loading model", *(f"[worker] {{'step': {i}, 'a': 0.1, 'b': 1e-6}}" for i in (5, 9))]
    assert [r.step for r in records(tmp_path, "\n".join(lines))] == [5, 9]


def test_the_text_before_the_dict_may_state_the_step(tmp_path: Path) -> None:
    text = "\n".join(f"INFO Step {i}/90: {{'loss': 0.1, 'reward': 0.5}}" for i in (10, 20, 30))
    assert [r.step for r in records(tmp_path, text)] == [10, 20, 30]


def test_dicts_without_any_step_are_counted_and_nan_is_kept(tmp_path: Path) -> None:
    rows = [{"loss": 0.1, "grad_norm": 1.0 if i != 2 else math.nan} for i in range(4)]
    found = records(tmp_path, "\n".join(map(str, rows)))
    assert len(found) == 4
    assert [math.isnan(r.values["optim/grad_norm"]) for r in found] == [False, False, True, False]


def test_one_dict_of_settings_is_no_log() -> None:
    reader = LineReader()
    assert reader.feed("{'lr': 0.1, 'seed': 3}") == []
    assert reader.feed("done") == [] and reader.close() == []


def test_a_trl_log_is_still_read_as_trl() -> None:
    reader = LineReader()
    for i in range(5):
        reader.feed(f"{{'loss': 0.1, 'grad_norm': 1.0, 'reward': 0.5, 'epoch': {i / 10}}}")
    reader.close()
    assert reader.format == "trl-console"


def test_a_tensor_is_the_number_that_it_prints(tmp_path: Path) -> None:
    text = (
        "{{'step': {}, 'mean_reward': tensor(0.5, device='cuda:0'), 'x': tensor([1., 2.]), 'y': 1}}"
    )
    found = records(tmp_path, "\n".join(text.format(i) for i in range(3)))
    assert [dict(r.values) for r in found] == [{"reward/mean": 0.5, "y": 1.0}] * 3


def test_json_behind_what_a_logger_puts_before_it_is_a_row_where_its_step_is_stated(
    tmp_path: Path,
) -> None:
    before = "2026-11-26 10:00:00,123 INFO train.py:33 -"
    lines = [f'{before} {{"step": {i}, "reward": NaN, "actor": {{"kl": 1}}}}' for i in (5, 9)]
    lines += [
        '[step 12] {"reward": 0.5, "actor": {"kl": 2}}',
        'call: {"a": 1, "b": 2}',
        'do: {"step": 1, "n": 2}',
    ] * 2
    found = records(tmp_path, "\n".join(lines))
    assert [(r.step, r.values["actor/kl"]) for r in found] == [(5, 1), (9, 1), (12, 2), (12, 2)]
    assert math.isnan(found[0].values["reward/mean"])
