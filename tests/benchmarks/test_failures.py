"""The sweep of failures: what a run was set up to be is kept, and one that dies goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.failures import SETTINGS, jobs_of, summary
from benchmarks.sweep import Job, sweep
from collapse_lab.corpus import CorpusRun, read_corpus
from collapse_lab.mechanisms import MECHANISMS
from collapse_lab.store import RECORDS
from collapse_lab.trainers.recipes import recipe

TINY = (
    "steps=40",
    "groups=2",
    "group_size=2",
    "mini_batches=1",
    "eval_every=99",
    "eval_episodes=2",
    "checkpoint_every=20",
    "cloning.episodes=40",
    "cloning.success=0",
    "cloning.check_every=40",
    "cloning.checked=2",
    "size.width=32",
    "size.inner=64",
)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_a_recipe_and_its_failure_a_known_mechanism(name: str):
    (job,) = jobs_of([name], [3])
    assert recipe(job.task, job.algorithm, job.seed, job.settings).steps == SETTINGS[name].steps
    assert job.facts["failure"] in ("", *MECHANISMS)


def test_a_run_that_dies_is_resumed_and_tells_what_it_was_set_up_to_be(tmp_path: Path):
    facts = {"failure": "staleness", "setting": "resumed"}
    job = Job("resumed-0", "household", "grpo", 0, TINY, facts, dies_after=23)
    sweep([job], tmp_path, processes=1)
    (run,) = read_corpus([tmp_path / "resumed-0"])
    assert isinstance(run, CorpusRun)
    steps = [record.step for record in run.records]
    died = len(steps) - 20
    assert 23 <= died < 40
    assert steps == [*range(died), *range(20, 40)]  # from the checkpoint on, steps were made twice
    assert run.facts["failure"] == "staleness"
    assert "| resumed | none | grpo | household |" in summary(tmp_path)
    before = (tmp_path / "resumed-0" / RECORDS).stat().st_mtime_ns
    sweep([job], tmp_path, processes=1)
    assert (tmp_path / "resumed-0" / RECORDS).stat().st_mtime_ns == before
