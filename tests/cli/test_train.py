"""`collapse-lab train`, alone and watched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from collapse_lab.store import RunReader

COMMAND = [sys.executable, "-c", "from collapse_lab.cli import main; main()"]
QUICK = {
    "steps": 4,
    "groups": 2,
    "group_size": 3,
    "mini_batches": 2,
    "eval_every": 2,
    "eval_episodes": 4,
    "cloning.episodes": 40,
    "cloning.success": 0,
    "cloning.check_every": 40,
    "cloning.checked": 2,
    "cloning.batch": 64,
    "size.width": 32,
    "size.inner": 64,
}
SETTINGS = [word for name, value in QUICK.items() for word in ("--set", f"{name}={value}")]


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], cwd=folder, capture_output=True, text=True)


def test_the_list_names_algorithms_with_their_choices_and_tasks(tmp_path: Path) -> None:
    told = run(tmp_path, "train", "--list").stdout
    assert "sampo" in told and "informative_groups" in told and "sokoban" in told


def test_what_cannot_be_trained_is_told_with_what_can(tmp_path: Path) -> None:
    for words, reason in (
        (["nope"], "no algorithm 'nope'; there are grpo"),
        (["grpo", "--task", "chess"], "no task 'chess'; there are household"),
        (["grpo", "--set", "lr=fast"], "lr=fast: a number is needed"),
        ([], "name an ALGORITHM"),
    ):
        done = run(tmp_path, "train", *words)
        assert done.returncode == 2 and reason in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_run_trained_under_watch_has_the_records_of_one_trained_alone(tmp_path: Path) -> None:
    train = ["train", "sampo", "--seed", "3", *SETTINGS]
    alone = run(tmp_path, *train, "--root", "alone")
    assert alone.returncode == 0, alone.stderr
    options = ["--root", "watched", "--name", "run"]
    watched = run(tmp_path, "watch", *options, "--", *COMMAND, *train)
    assert watched.returncode == 0, watched.stderr
    ours = RunReader(tmp_path / "watched" / "run")
    (folder,) = (path for path in (tmp_path / "alone").iterdir() if not path.name.startswith("."))
    expected = RunReader(folder).new()
    assert [record.step for record in expected] == [0, 1, 2, 3]
    names = {"reward/success_rate", "policy/entropy", "ratio/max"}
    for seen, known in zip(ours.new(), expected, strict=True):
        assert {n: seen.values[n] for n in names} == {n: known.values[n] for n in names}
    assert ours.meta["config"]["algorithm"] == "sampo"
