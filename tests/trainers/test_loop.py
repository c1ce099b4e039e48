"""The loop as a whole: what it records, and that a killed run goes on as if nothing had been."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from collapse_lab.records import CHECKPOINT, Record
from collapse_lab.signals import known
from collapse_lab.store import INBOX, RUN_VARIABLE, STOP, RunReader
from collapse_lab.trainers.checkpoints import State
from collapse_lab.trainers.cloning import Cloning
from collapse_lab.trainers.launch import listing, train_command
from collapse_lab.trainers.loop import train
from collapse_lab.trainers.policy import Size
from collapse_lab.trainers.recipes import Recipe
from collapse_lab.trainers.tasks.base import kind_of
from collapse_lab.trainers.tasks.household import Household

SETTINGS = {
    "steps": 6,
    "groups": 2,
    "group_size": 3,
    "mini_batches": 2,
    "eval_every": 4,
    "eval_episodes": 4,
    "sample_every": 3,
    "checkpoint_every": 2,
}
PARTS = {
    "cloning.episodes": 40,
    "cloning.success": 0.0,
    "cloning.check_every": 40,
    "cloning.checked": 2,
    "cloning.batch": 64,
    "size.width": 32,
    "size.inner": 64,
}
QUICK = [f"{name}={value}" for name, value in (SETTINGS | PARTS).items()]


def quick(algorithm: str, **settings: object) -> Recipe:
    cloning = Cloning(episodes=40, success=0.0, check_every=40, checked=2, batch=64)
    small = {"size": Size(width=32, inner=64), "cloning": cloning}
    return Recipe(task="household", algorithm=algorithm, **(SETTINGS | small | settings))  # pyright: ignore


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("policies")


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def numbers(record: Record) -> dict[str, float]:
    """All but the clock, with NaN made comparable."""
    return {
        name: value if math.isfinite(value) else str(value)  # pyright: ignore
        for name, value in record.values.items()
        if not name.startswith("time/")
    }


@pytest.mark.parametrize("algorithm", ["grpo", "sampo", "cispo_sm", "empg"])
def test_a_step_is_a_record_of_everything_a_detector_wants(algorithm: str, cache: Path):
    records: list[Record] = []
    train(quick(algorithm), records.append, cache=cache)
    assert [record.step for record in records] == list(range(6))
    wanted = {
        "reward/success_rate",
        "reward/zero_std_frac",
        "policy/entropy",
        "policy/valid_frac",
        "policy/distinct_action_frac",
        "kl/ref",
        "kl/old",
        "ratio/ess_frac",
        "ratio/max",
        "ratio/clip_gate",
        "mismatch/absdiff_max",
        "optim/grad_norm",
        "optim/lr",
        "length/mean",
        "time/step",
    }
    for record in records:
        assert wanted <= record.values.keys()
        assert all(math.isfinite(value) for value in record.values.values())
        assert record.values["mismatch/absdiff_max"] < 1e-5
    assert {record.step for record in records if "eval/success_rate" in record.values} == {0, 4, 5}
    assert all(known(name) for name in wanted)


def test_the_filters_surplus_is_counted_as_turns_played(cache: Path):
    plain: list[Record] = []
    filtered: list[Record] = []
    train(quick("grpo"), plain.append, cache=cache)
    train(quick("grpo", filter="informative_groups"), filtered.append, cache=cache)
    # a policy this ignorant fails every time, so that every try is used up and filled
    assert filtered[-1].values["credit/filter_tries"] == 3
    assert filtered[-1].values["arena/turns_played"] == 3 * plain[-1].values["arena/turns_played"]


def test_a_budget_is_the_longest_response_of_the_task_whatever_a_mini_batch_holds(cache: Path):
    stated: list[Record] = []
    own: list[Record] = []
    # so well cloned that few responses reach the limit of 12
    cloning = Cloning(episodes=40, success=0.0, check_every=120, checked=2, batch=64)
    few = {"steps": 2, "mini_batches": 36, "cloning": cloning}
    train(quick("dr_grpo", weigh="per_budget(12)", **few), stated.append, cache=cache)
    train(quick("dr_grpo", **few), own.append, cache=cache)
    assert [numbers(record) for record in own] == [numbers(record) for record in stated]


def test_a_cold_start_leaves_the_filter_out(cache: Path):
    records: list[Record] = []
    train(quick("sampo", cold_start=2, steps=3), records.append, cache=cache)
    tries = [record.values["credit/filter_tries"] for record in records]
    assert tries == [1, 1, 3]


def test_the_rate_grows_to_its_full_height(cache: Path):
    records: list[Record] = []
    train(quick("grpo", lr=8e-4, warm_up=4), records.append, cache=cache)
    rates = [record.values["optim/lr"] for record in records]
    assert rates == pytest.approx([2e-4, 4e-4, 6e-4, 8e-4, 8e-4, 8e-4])


def test_evaluating_does_not_change_the_training(cache: Path):
    seldom: list[Record] = []
    often: list[Record] = []
    train(quick("grpo", eval_every=100), seldom.append, cache=cache)
    train(quick("grpo", eval_every=1), often.append, cache=cache)
    for one, other in zip(seldom, often, strict=True):
        evaluated = {"eval/success_rate"}
        common = numbers(one).keys() - evaluated
        assert common == numbers(other).keys() - evaluated
        assert all(numbers(one)[name] == numbers(other)[name] for name in common)


def test_seeds_differ_and_a_seed_repeats(cache: Path):
    runs: list[list[Record]] = []
    for seed in (0, 0, 1):
        runs.append([])
        train(quick("sapo", seed=seed), runs[-1].append, cache=cache)
    first, again, other = ([numbers(record) for record in run] for run in runs)
    assert first == again
    assert first != other


def test_a_stale_sampler_shows_at_once_and_a_resumed_one_is_as_late(cache: Path, tmp_path: Path):
    recipe = quick("grpo", sampler_lag=2, warm_up=0, lr=1e-3)
    whole: list[Record] = []
    train(recipe, whole.append, cache=cache)
    gaps = [record.values["mismatch/absdiff_max"] for record in whole]
    assert gaps[0] < 1e-5
    assert min(gaps[1:]) > 1e-2
    resumed: list[Record] = []
    path = tmp_path / "checkpoint.pt"
    train(
        recipe,
        resumed.append,
        cache=cache,
        checkpoint=path,
        should_stop=lambda: len(resumed) == 4,
    )
    train(recipe, resumed.append, cache=cache, checkpoint=path)
    assert [numbers(record) for record in resumed] == [numbers(record) for record in whole]
    saved = [record.step for record in resumed if record.notes == {CHECKPOINT: "checkpoint.pt"}]
    assert saved == [record.step for record in resumed if record.step % 2]  # after every second


def test_ratios_are_to_whom_the_recipe_says(cache: Path):
    stale: dict[str, list[Record]] = {}
    for whose in ("trainer", "sampler"):
        recipe = quick("grpo", sampler_lag=2, warm_up=0, lr=1e-3, old_log_probs=whose, steps=3)
        train(recipe, stale.setdefault(whose, []).append, cache=cache)
    # one mini-batch before any update: the trainer's own ratios begin at 1, the sampler's do not
    first, last = (stale[whose][2].values["ratio/max"] for whose in ("trainer", "sampler"))
    assert last > first


def test_a_proxy_is_part_of_the_reward_and_none_of_the_success(cache: Path):
    for proxied in ("length", "turns"):
        records: list[Record] = []
        train(quick("grpo", proxy=5.0, proxied=proxied, steps=2), records.append, cache=cache)
        for record in records:
            extra = record.values["reward/mean"] - 10 * record.values["reward/success_rate"]
            assert (0 < extra <= 5) if proxied == "length" else (0 <= extra <= 5)


def test_a_curriculum_begins_with_the_first_half_of_the_kinds(cache: Path):
    recipe = quick("grpo", curriculum=2, groups=12)
    state = State.begin(recipe, cache)
    for step in range(3):
        state.step = step
        seeds = state.next_tasks(recipe)
        assert len(seeds) == 12
        kinds = {kind_of(Household, seed) for seed in seeds}
        assert (kinds <= set(Household.kinds[:3])) == (step < 2)


def test_a_checkpoint_of_another_recipe_is_refused(cache: Path, tmp_path: Path):
    path = tmp_path / "checkpoint.pt"
    State.begin(quick("grpo"), cache).save(path, quick("grpo"))
    with pytest.raises(ValueError, match="another recipe"):
        State.load(path, quick("grpo", lr=1e-3))


def test_samples_are_episodes_as_text(cache: Path):
    kept: dict[int, list] = {}
    train(quick("grpo"), lambda record: None, cache=cache, sample=kept.__setitem__)
    assert list(kept) == [0, 3]
    first = kept[0][0]["turns"][0]
    assert "start" in first["prompt"].split()
    assert kept[0][0]["task"].startswith("household/")


def test_a_single_group_has_a_single_episode_to_show(cache: Path):
    kept: dict[int, list] = {}
    train(
        quick("grpo", groups=1, steps=1), lambda record: None, cache=cache, sample=kept.__setitem__
    )
    assert len(kept[0]) == 1


def launched(root: Path, cache: Path, steps: int) -> subprocess.Popen[bytes]:
    code = (
        "import sys; from pathlib import Path; "
        "from collapse_lab.trainers.launch import train_command; "
        "root, cache, *settings = sys.argv[1:]; "
        "train_command('sampo', 'household', 0, settings, root, 'run', Path(cache))"
    )
    settings = [*QUICK, f"steps={steps}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop(RUN_VARIABLE, None)
    return subprocess.Popen(
        [sys.executable, "-c", code, str(root), str(cache), *settings],
        env=environment,
        stdout=subprocess.DEVNULL,
    )


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_bit(cache: Path, tmp_path: Path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert launched(whole, cache, steps=12).wait() == 0
    folder = killed / "run"
    process = launched(killed, cache, steps=12)
    while not folder.exists() or len(RunReader(folder).new()) < 5:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = RunReader(folder).new()
    assert len(before) < 12
    assert launched(killed, cache, steps=12).wait() == 0
    resumed = RunReader(folder).new()[len(before) :]
    assert 0 < resumed[0].step <= before[-1].step + 1
    expected = {record.step: record for record in RunReader(whole / "run").new()}
    assert [record.step for record in resumed] == list(range(resumed[0].step, 12))
    for record in resumed:
        assert numbers(record) == numbers(expected[record.step])
        assert record.histograms == expected[record.step].histograms
    assert RunReader(folder).meta["state"] == "finished"


def test_a_run_says_what_it_was(cache: Path, tmp_path: Path):
    told: list[str] = []
    folder = train_command("gspo", "household", 2, QUICK, tmp_path, cache=cache, echo=told.append)
    meta = RunReader(folder).meta
    assert folder.name.startswith("gspo-household-2-steps=6-groups=2")
    assert meta["planned_steps"] == 6
    assert meta["config"]["cloning"]["episodes"] == 40
    assert meta["config"]["choices"]["weigh"] == "per_sequence"
    assert (folder / "samples.jsonl").exists()
    assert not (folder / "checkpoint.pt").exists()
    assert [line for line in told if line.startswith("step    4  reward/success_rate")]
    with pytest.raises(FileExistsError, match="finished run"):
        train_command("gspo", "household", 2, QUICK, tmp_path, cache=cache)


def test_a_stop_file_ends_the_run_between_steps_and_the_same_command_goes_on(
    cache: Path, tmp_path: Path
):
    folder = tmp_path / "stopped"

    def stop(_: str) -> None:
        (folder / STOP).touch()

    train_command("grpo", "household", 0, QUICK, tmp_path, "stopped", cache, echo=stop)
    assert RunReader(folder).meta["state"] == "stopped"
    assert RunReader(folder).new() == []
    train_command("grpo", "household", 0, QUICK, tmp_path, "stopped", cache, echo=lambda _: None)
    assert RunReader(folder).meta["state"] == "finished"
    assert [record.step for record in RunReader(folder).new()] == list(range(6))


def test_a_run_that_was_stopped_goes_on_from_its_checkpoint(cache: Path, tmp_path: Path):
    folder = tmp_path / "stopped"
    settings = (*QUICK, "eval_every=1", "checkpoint_every=2")

    def stop(text: str) -> None:
        if text.startswith("step    3"):
            (folder / STOP).touch()

    train_command("grpo", "household", 0, settings, tmp_path, "stopped", cache, echo=stop)
    assert [record.step for record in RunReader(folder).new()] == [0, 1, 2, 3]
    train_command("grpo", "household", 0, settings, tmp_path, "stopped", cache, echo=print)
    assert [record.step for record in RunReader(folder).new()] == list(range(6))


def test_inside_watch_the_records_go_to_its_inbox(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(RUN_VARIABLE, str(tmp_path))
    train_command("grpo", settings=QUICK, root=tmp_path / "runs", cache=cache, echo=lambda _: None)
    first, *lines = (tmp_path / INBOX).read_text().splitlines()
    assert json.loads(first)["meta"]["config"]["task"] == "household"
    assert [Record.from_json(line).step for line in lines] == list(range(6))
    assert not (tmp_path / "runs").exists()


def test_the_listing_names_every_algorithm_with_its_choices():
    assert "  sampo       informative_groups, AnchorCredit" in listing()
    assert listing().endswith("  maths\n  alfworld (policy=PATH, own package)")
