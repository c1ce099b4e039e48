"""A real GRPOTrainer on CPU, seen from outside and from inside, and ended from inside."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from collapse_lab.records import CHECKPOINT, Record
from collapse_lab.store import INBOX, RUN_VARIABLE, STOP_ON_VARIABLE, RunReader

EXAMPLE = Path(__file__).parents[2] / "examples" / "trl_grpo.py"
NAN_STEP = 3

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("trl") is None, reason="TRL is not installed (pip install trl)"
    ),
]


def run(command: list[str], cwd: Path) -> subprocess.CompletedProcess[bytes]:
    environment = {key: text for key, text in os.environ.items() if key != RUN_VARIABLE}
    environment |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, timeout=300)


def watch(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("collapse-lab")), "watch", *arguments]


def only_run(root: Path) -> RunReader:
    (folder,) = root.iterdir()
    return RunReader(folder)


def as_printed(record: Record) -> dict[str, float]:
    """Values to the four significant digits that the console shows."""
    return {name: float(f"{value:.4g}") for name, value in record.values.items()}


def criticals(reader: RunReader) -> list[tuple[int, tuple[str, ...]]]:
    return [(a.step, a.signals) for a in reader.alarms() if a.severity == "critical"]


def checkpoints(out: Path) -> list[str]:
    return sorted(path.name for path in out.glob("checkpoint-*"))


def test_the_same_records_from_outside_and_inside_and_the_same_bytes_on_stdout(tmp_path: Path):
    train = f"env -u {RUN_VARIABLE} {sys.executable} {EXAMPLE} --callback --root inside"
    done = run(
        watch("--root", "outside", "--name", "run", "--", "sh", "-c", f"{train} | tee printed"),
        tmp_path,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == (tmp_path / "printed").read_bytes()
    outside = only_run(tmp_path / "outside").new()
    inside = only_run(tmp_path / "inside").new()
    assert [record.step for record in inside] == list(range(1, 13))
    assert [record.step for record in outside] == list(range(1, 13))
    for seen, known in zip(outside, inside, strict=True):
        assert seen.values == as_printed(known)
    assert {"reward/mean", "policy/entropy", "optim/grad_norm", "loss/total"} < inside[
        0
    ].values.keys()
    meta = only_run(tmp_path / "inside").meta
    assert (meta["planned_steps"], meta["framework"], meta["state"]) == (12, "trl", "finished")
    assert meta["config"]["learning_rate"] == 1e-3


def test_a_nan_under_watch_is_critical_at_its_step_and_ends_with_a_checkpoint(tmp_path: Path):
    train = [sys.executable, str(EXAMPLE), "--nan-at", str(NAN_STEP), "--callback"]
    options = ("--on-alarm", "stop", "--on-alarm-min", "critical", "--grace", "60")
    done = run(watch(*options, "--root", "outside", "--name", "run", "--", *train), tmp_path)
    reader = only_run(tmp_path / "outside")
    assert criticals(reader) == [(NAN_STEP, ("optim/grad_norm",))], done.stderr.decode()
    # 0 when the callback had ended the training before watch could ask for it
    assert done.returncode in (0, 3), done.stderr.decode()
    assert checkpoints(tmp_path / "trl_grpo") == [f"checkpoint-{NAN_STEP}"]
    assert not (tmp_path / "runs").exists()
    meta, *lines = (reader.folder / INBOX).read_text().splitlines()
    assert json.loads(meta)["meta"]["planned_steps"] == 12
    reported = [Record.from_json(line) for line in lines]
    assert [record.step for record in reported] == [1, 2, 3]
    assert [repr(record.values) for record in reader.new()] == [repr(r.values) for r in reported]


def test_the_callback_saves_and_stops_as_it_was_told_and_else_only_records(tmp_path: Path):
    done = run(
        [
            sys.executable,
            "-c",
            textwrap.dedent(f"""
            import sys; sys.path.insert(0, {str(EXAMPLE.parent)!r})
            from pathlib import Path
            import collapse_lab
            from trl_grpo import trainer

            def train(name, nan_at={NAN_STEP}, run=None, **options):
                callback = collapse_lab.CollapseCallback(run, root=name + "-runs", **options)
                try:
                    trainer(Path(name), 6, [callback], nan_at).train()
                except RuntimeError as error:
                    assert "probability tensor contains" in str(error)  # no sampling from NaN
                    callback.run.finish("failed")

            train("stop", stop_on="critical")
            train("save", save_on="critical")
            train("record")
            kept = trainer(Path("kept"), 4, [collapse_lab.CollapseCallback(root="kept-runs")], 0)
            kept.args.save_strategy, kept.args.save_steps = "steps", 2
            kept.train()
            asked = collapse_lab.init(root="asked-runs")
            (asked.folder / "STOP").touch()
            train("asked", nan_at=0, run=asked, stop_on="critical")
            asked.log({{"after": 1.0}}, step=100)
            """),
        ],
        tmp_path,
    )
    assert done.returncode == 0, done.stderr.decode()
    saved = {record.step: dict(record.notes) for record in only_run(tmp_path / "kept-runs").new()}
    assert saved == {1: {}, 2: {}, 3: {CHECKPOINT: "checkpoint-2"}, 4: {}}
    readers = {name: only_run(tmp_path / f"{name}-runs") for name in ("stop", "save", "record")}
    for reader in readers.values():
        *healthy, last = reader.new()
        assert [record.step for record in healthy] == [1, 2] and last.step == NAN_STEP
        assert all(math.isfinite(record.values["optim/grad_norm"]) for record in healthy)
        assert math.isnan(last.values["optim/grad_norm"])
        assert "logging_nan_inf_filter" in last.notes["loss/total"]
        assert criticals(reader) == [(NAN_STEP, ("optim/grad_norm",))]
    assert readers["stop"].meta["state"] == "stopped"
    assert readers["record"].meta["state"] == "failed"
    assert checkpoints(tmp_path / "stop") == checkpoints(tmp_path / "save") == ["checkpoint-3"]
    state = json.loads((tmp_path / "stop" / "checkpoint-3" / "trainer_state.json").read_text())
    assert math.isnan(state["log_history"][-1]["grad_norm"])
    assert checkpoints(tmp_path / "record") == []

    asked = only_run(tmp_path / "asked-runs")
    assert [record.step for record in asked.new()] == [1, 100]
    assert checkpoints(tmp_path / "asked") == ["checkpoint-1"]


def test_a_callback_that_trains_again_saves_and_stops_again(tmp_path: Path):
    done = run(
        [
            sys.executable,
            "-c",
            textwrap.dedent(f"""
            import sys; sys.path.insert(0, {str(EXAMPLE.parent)!r})
            from pathlib import Path
            import collapse_lab
            from trl_grpo import trainer

            callback, ids = collapse_lab.CollapseCallback(stop_on="critical"), []
            for name, nan_at in (("first", {NAN_STEP}), ("again", {NAN_STEP}), ("healthy", 0)):
                trainer(Path(name), 4, [callback], nan_at).train()
                ids.append(callback.run.id)
            print(*ids)
            """),
        ],
        tmp_path,
    )
    assert done.returncode == 0, done.stderr.decode()
    ids = done.stdout.decode().split()[-3:]
    readers = [RunReader(tmp_path / "runs" / id) for id in ids]
    assert [reader.meta["state"] for reader in readers] == ["stopped", "stopped", "finished"]
    records = [reader.new() for reader in readers]
    assert list(map(len, records)) == [NAN_STEP, NAN_STEP, 4]
    assert [dict(first.notes) for first, *_ in records] == [{}, {}, {}]
    assert checkpoints(tmp_path / "first") == checkpoints(tmp_path / "again") == ["checkpoint-3"]


def test_every_rank_does_what_rank_zero_decides(tmp_path: Path):
    pytest.importorskip("torch")
    code = f"""
        import sys, torch.distributed as distributed, collapse_lab
        from collapse_lab.integrations.transformers import _as_rank_zero_says
        rank = int(sys.argv[1])
        assert _as_rank_zero_says("cpu", True, False) == [True, False]
        distributed.init_process_group(
            "gloo", init_method="file://{tmp_path}/meet", rank=rank, world_size=2
        )
        collapse_lab.init(id=f"of-rank-{{rank}}").log({{"a": 1.0}})
        print(_as_rank_zero_says("cpu", rank == 0, rank == 1))
        distributed.destroy_process_group()
        """
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), str(rank)],
            cwd=tmp_path,
            text=True,
            stdout=subprocess.PIPE,
        )
        for rank in (0, 1)
    ]
    assert [rank.communicate(timeout=120)[0] for rank in ranks] == ["[True, False]\n"] * 2
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["of-rank-0"]


@pytest.mark.parametrize(
    ("ranks_a_node", "asked", "options", "steps", "state"),
    [
        (2, (0, 1), ["--nan-at", str(NAN_STEP)], NAN_STEP, "stopped"),
        (1, (0,), [], 4, "finished"),
    ],
    ids=["the ranks of one node are all asked", "another node is not asked"],
)
def test_what_watch_asks_of_one_node_keeps_no_other_waiting(
    tmp_path: Path,
    ranks_a_node: int,
    asked: tuple[int, ...],
    options: list[str],
    steps: int,
    state: str,
):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    job = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": str(ranks_a_node)}
    job |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    job |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    ranks = [
        subprocess.Popen(
            [sys.executable, EXAMPLE, "--callback", "--steps", "4", *options],
            cwd=tmp_path,
            env=os.environ
            | job
            | {"RANK": str(rank), "LOCAL_RANK": str(rank % ranks_a_node)}
            | ({STOP_ON_VARIABLE: "critical"} if rank in asked else {}),
        )
        for rank in (0, 1)
    ]
    try:
        assert [rank.wait(timeout=300) for rank in ranks] == [0, 0]
    finally:
        for rank in ranks:
            rank.kill()
    reader = only_run(tmp_path / "runs")
    assert len(reader.new()) == steps
    assert reader.meta["state"] == state


def test_a_root_that_cannot_be_written_is_told_and_the_training_goes_on(tmp_path: Path):
    (tmp_path / "runs").touch()  # no folder, and none can be made there
    train = [sys.executable, str(EXAMPLE), "--callback", "--steps", "2", "--stop-on", "alarm"]
    done = run(train, tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    assert b"no run was begun, nothing is recorded: " in done.stderr
    assert b"'train_runtime'" in done.stdout
