"""Runs whose settings change in mid-run: what changes does so at its record, and nothing before."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from test_failures import TINY

from benchmarks.changes import CHANGES, STEPS, jobs_of, sound_for
from benchmarks.sweep import Job, sweep
from benchmarks.trl_later import CHANGED, CHANGED_OTHERS
from benchmarks.trl_runs import name_of, run_all
from benchmarks.trl_settings import Change, Setting
from collapse_lab.mechanisms import MECHANISMS
from collapse_lab.records import RESTART
from collapse_lab.store import RunReader, read_meta
from collapse_lab.trainers.recipes import recipe

needs_trl = pytest.mark.skipif(
    importlib.util.find_spec("trl") is None, reason="TRL is not installed (pip install trl)"
)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_a_recipe_before_and_after_and_its_failure_a_known_mechanism(name: str):
    (job,) = jobs_of([name], [1])
    first = recipe(job.task, job.algorithm, job.seed, job.settings)
    assert first.steps == STEPS > job.sound_for == sound_for(1) == 130
    assert recipe(job.task, job.algorithm, job.seed, (*job.settings, *job.then)) != first
    assert job.facts["failure"] in ("", *MECHANISMS)


def test_every_setting_of_trl_that_changes_says_so_and_its_failure_is_a_known_mechanism():
    for setting in CHANGED + CHANGED_OTHERS:
        assert setting.change is not None and setting.failure in ("", *MECHANISMS)


def test_the_arenas_trainer_goes_on_with_other_settings_and_notes_no_restart(tmp_path: Path):
    tiny = tuple(text for text in TINY if not text.startswith(("steps", "checkpoint")))
    settings = (*tiny, "steps=12", "lr=1e-4", "warm_up=0")
    job = Job("rate-0", "household", "grpo", 0, settings, {"failure": ""}, None, ("lr=5e-4",), 7)
    sweep([job], tmp_path, processes=1)
    records = RunReader(tmp_path / "rate-0").new()
    assert [record.step for record in records] == list(range(12))
    assert [record.values["optim/lr"] for record in records] == [1e-4] * 7 + [5e-4] * 5
    assert not any(RESTART in record.notes for record in records)
    meta = read_meta(tmp_path / "rate-0")
    assert (meta["state"], meta["config"]["lr"], meta["failure"]) == ("finished", 1e-4, "")


@needs_trl
@pytest.mark.slow
def test_trl_goes_on_with_another_rate_and_other_weights_of_the_rewards(tmp_path: Path):
    change = Change(
        after=3, rate=5, pay=(2.0, 0.0, None, None), entropy=0.1, temperature=0.9, lag=1
    )
    setting = Setting(
        "changed", "", (0,), lr=1e-4, records=6, updates=2, warm_up=0, success=0.01, change=change
    )
    run_all([setting], tmp_path)
    records = RunReader(tmp_path / name_of(setting, 0)).new()
    rates = [record.values["optim/lr"] for record in records]
    assert rates == pytest.approx([1e-4] * 3 + [5e-4] * 3)
    for place, record in enumerate(records):
        right = record.values["rewards/accuracy_reward/mean"]
        told = 0.1 * record.values["reward/format"] + right if place < 3 else 2 * right
        assert record.values["reward/mean"] == pytest.approx(told, abs=1e-6)
    config = read_meta(tmp_path / name_of(setting, 0))["config"]
    assert json.loads(json.dumps(config["change"]))["lag"] == 1


@needs_trl
def test_a_sampler_that_is_late_draws_with_the_weights_of_so_many_batches_ago_and_trains_the_new():
    from benchmarks.trl_changes import sample_late

    class Policy(torch.nn.Linear):
        def generate(self) -> float:
            return float(self.weight.item())

    policy = Policy(1, 1, bias=False)
    sample_late(policy, lag=2)
    drawn: list[float] = []
    for batch in range(5):
        torch.nn.init.constant_(policy.weight, batch)
        drawn.append(policy.generate())
        assert policy.weight.item() == batch
    assert drawn == [0, 0, 0, 1, 2]
