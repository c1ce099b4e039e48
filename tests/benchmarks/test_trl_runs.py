"""TRL runs: what the puzzles pay for, how a run is judged, and a real one of a few records."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from benchmarks.trl_chat_settings import CHATS
from benchmarks.trl_runs import ON_CPU, keep, label_of, name_of, run_all, table
from benchmarks.trl_settings import SETTINGS, Setting
from collapse_lab.records import Record
from collapse_lab.store import RunReader, read_meta

needs_trl = pytest.mark.skipif(
    importlib.util.find_spec("trl") is None, reason="TRL is not installed (pip install trl)"
)


def test_every_run_has_a_name_of_its_own():
    names = [name_of(setting, seed) for setting in ON_CPU + CHATS for seed in setting.seeds]
    assert len(names) == len(set(names))


def test_a_run_that_is_paid_for_something_else_is_judged_by_its_right_answers():
    records = [
        Record(
            step,
            values={
                "reward/mean": 0.4 + 0.01 * step,
                "reward/accuracy": 0.4 + 0.01 * step if step < 40 else 0.0,
            },
        )
        for step in range(80)
    ]
    paid = Setting("paid", "", (0,), lr=1e-4)
    hidden = Setting("hidden", "reward_hacking", (0,), lr=1e-4, hidden=True)
    assert label_of(paid, records).kind == "healthy"
    collapse = label_of(hidden, records)
    assert (collapse.kind, collapse.cross) == ("collapse", 42)  # a median of five lags by two


@needs_trl
def test_the_rewards_of_a_completion():
    from benchmarks.trl_tasks import PUZZLES, rewards_of

    prompts = ["3 1 2 0 9 ?"] * 5
    completions = [
        "hm so [ 0 1 2 3 9 ]",  # right, after two words of thought
        "[ 0 1 2 3 3 ]",  # in order, and not these digits
        "[ 9 1 2 3 9 ]",  # three of four neighbours in order
        "[ 0 1 2 3 9",  # never closed
        "0 hm [ 0 1 2 3 9 ]",  # says something else besides
    ]
    paid = [
        reward(prompts=prompts, completions=completions) for reward in rewards_of(PUZZLES["sort"])
    ]
    assert paid == [
        [1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [2 / 16, 0, 0, 0, 1 / 16],
        [1, 1, 3 / 4, 0, 0],
    ]


@needs_trl
@pytest.mark.slow
def test_a_run_is_recorded_from_trl_itself_resumes_and_is_not_made_twice(tmp_path: Path):
    short = Setting(
        SETTINGS[0].name,
        "staleness",
        (3,),
        lr=1e-3,
        records=8,
        updates=2,
        resume_at=4,
        success=0.01,
    )
    root, out = tmp_path / "runs", tmp_path / "kept"
    run_all([short], root)
    name = name_of(short, 3)
    meta = read_meta(root / name)
    assert (meta["framework"], meta["failure"], meta["state"]) == ("trl", "staleness", "finished")
    assert (meta["config"]["task"], meta["config"]["seed"], meta["config"]["lr"]) == (
        "sort",
        3,
        1e-3,
    )
    records = RunReader(root / name).new()
    assert [record.step for record in records] == list(range(2, 18, 2))
    for record in records:
        assert {"reward/mean", "reward/format", "policy/entropy", "optim/lr"} < record.values.keys()
        assert 0 <= record.values["reward/accuracy"] <= record.values["reward/format"]

    begun = meta["started"]
    run_all([short], root)
    assert read_meta(root / name)["started"] == begun
    keep(root, out)
    assert table(out) == table(root)
