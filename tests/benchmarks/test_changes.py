"""Runs whose settings change in mid-run: what changes does so at its record, and nothing before."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from test_failures import TINY

from benchmarks.after_change import HEADINGS, ChangedRun, changed_at, dates, read, rows
from benchmarks.changes import CHANGES, STEPS, jobs_of, sound_for
from benchmarks.sweep import Job, sweep
from benchmarks.trl_later import CHANGED, CHANGED_OTHERS
from benchmarks.trl_runs import name_of, run_all
from benchmarks.trl_settings import Change, Setting
from collapse_lab.mechanisms import MECHANISMS
from collapse_lab.records import RESTART, Record, Severity
from collapse_lab.scorecard.judged import JudgedRun
from collapse_lab.store import RunReader, RunWriter, read_meta
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
        right = record.values["reward/accuracy"]
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


def run(name: str, onset: int | None, *raised: tuple[int, str]) -> ChangedRun:
    """200 records, changed at 100; half is lost 20 records after the onset."""
    severities: Mapping[str, Severity] = {"cusum": "watch", "e-detector": "alarm"}
    kind = "healthy" if onset is None else "collapse"
    cross = None if onset is None else onset + 20
    told: list[tuple[int, Severity, str]] = [(at, severities[by], by) for at, by in raised]
    return ChangedRun(JudgedRun(name, kind, "", {}, range(200), onset, cross, told), 100)


def test_what_is_told_counts_from_the_change_on_and_what_came_before_it_is_false():
    runs = [
        run("foreseen", 120, (50, "e-detector"), (119, "e-detector")),
        run("ten late", 120, (104, "cusum"), (130, "e-detector")),
        run("half lost", 120, (140, "e-detector")),
        run("found before its cause", 97, (110, "e-detector")),
        run("never", 120),
        run("harmless", None, (150, "e-detector")),
        run("sound", None, (60, "cusum")),
    ]
    found = {row[0]: dict(zip(HEADINGS, row, strict=True)) for row in rows(runs)}
    alarm, watch = found["alarm or above"], found["watch or above"]
    counts = {heading: cell.split(",")[0] for heading, cell in alarm.items()}
    assert counts == {
        "tier": "alarm or above",
        "alarmed before the change": "1/7",
        "after a harmless one": "1/2",
        "before the onset": "1/5",
        "by onset + 10": "3/5",
        "by half lost": "4/5",
        "at all": "4/5",
        "records after the change": "24.5",  # of 10, 19, 30, 40
    }
    assert watch["alarmed before the change"].startswith("2/7")
    assert watch["before the onset"].startswith("2/5")


def test_when_the_change_came_is_in_run_json_of_both_trainers():
    assert changed_at({"changed_at": "130"}) == 130
    change = {"after": 100, "rate": 5.0, "pay": [1.0, None]}
    assert changed_at({"config": {"change": change, "seed": 2}}) == 160


def test_the_dates_of_first_alarms_are_held_against_the_change():
    dated = [(99, 97), (101, 99), (103, 100), (112, 104)]
    runs = [
        ChangedRun(run(f"run {since}", 120).run, 100, since, healthy) for since, healthy in dated
    ]
    runs.append(ChangedRun(run("harmless", None).run, 100, 60, 50))
    said = dates(runs)
    # begun -1, 1, 3 and 12 records after the change; 2, 0, -1 and -5 records of sound training lost
    assert said.startswith("The first alarms of 4 collapsed runs date their begin 2 records")
    assert "(quartiles -0.5 and 9.8)" in said
    assert "before the change in 2/4, 50 %" in said and said.endswith("by -0.5 records.")


def test_a_run_is_judged_and_its_first_alarm_dated_as_it_is_read(tmp_path: Path):
    writer = RunWriter(tmp_path / "run", {"changed_at": "60", "planned_steps": 100})
    for step in range(100):
        reward = 0.8 + 0.01 * (step % 5) if step < 70 else 0.1
        writer.append(Record(step, values={"reward/mean": reward}))
    writer.finish()
    (found,) = read([tmp_path])
    assert (found.at, found.run.onset, found.after) == (60, 68, 8)
    assert found.first("alarm or above") == 72
    assert found.since is not None and 68 <= found.since <= 70
    assert found.healthy is not None and 65 <= found.healthy < found.since
