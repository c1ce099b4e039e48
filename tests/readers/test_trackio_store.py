"""trackio's databases, written by trackio itself."""

from __future__ import annotations

import math
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from collapse_lab.readers.reader import Log, read
from collapse_lab.records import NEW_RUN

pytest.importorskip("trackio", reason="needs trackio")

PROGRAM = """
import trackio
how = {"num_iterations": 4, "optim": {"lr": 1e-6, "beta": float("nan")}}
trackio.init(project="p", name="first", config=how, auto_log_cpu=False, auto_log_gpu=False)
trackio.log({"reward": 1.0, "kl": float("nan"), "note": "text"})
trackio.log({"reward": float("-inf"), "kl": 0.5})
trackio.finish()
trackio.init(project="p", name="second", auto_log_cpu=False, auto_log_gpu=False)
trackio.log({"reward": 2.0, "actor": {"grad": 3}}, step=5)
trackio.finish()
"""

AS_A_TRAINER = """
import trackio
trackio.init(project="p", name="trained", auto_log_cpu=False, auto_log_gpu=False)
for step in (10, 20):
    trackio.log({"train/reward": step / 100, "train/loss": 0.5, "train/global_step": step})
trackio.finish()
"""
"""What trackio is told by the transformers Trainer."""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written_by(PROGRAM, tmp_path_factory.mktemp("trackio"))


def written_by(program: str, folder: Path) -> Path:
    subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        env={**os.environ, "TRACKIO_DIR": str(folder)},
        timeout=300,
        stdout=subprocess.DEVNULL,
    )
    return folder / "p.db"


def test_every_run_of_a_project_is_read_with_its_non_finite_numbers(database: Path) -> None:
    records, log = read(database)
    assert log.format == "trackio"
    assert [record.step for record in records] == [0, 1, 5]
    assert [record.notes.get(NEW_RUN) for record in records] == ["first", None, "second"]
    assert records[0].values["reward/mean"] == 1.0 and math.isnan(records[0].values["kl/ref"])
    assert records[1].values == {"reward/mean": -math.inf, "kl/ref": 0.5}
    assert records[2].values == {"reward/mean": 2.0, "actor/grad": 3.0}
    assert all(record.time > 1.7e9 for record in records)


def test_a_step_that_the_trainer_states_is_believed_before_the_count_of_calls(
    tmp_path: Path,
) -> None:
    records, _ = read(written_by(AS_A_TRAINER, tmp_path))
    assert [(record.step, dict(record.values)) for record in records] == [
        (10, {"reward/mean": 0.1, "loss/total": 0.5}),
        (20, {"reward/mean": 0.2, "loss/total": 0.5}),
    ]


def test_every_run_has_its_own_configuration(database: Path) -> None:
    _, log = read(database)
    assert log.config("first") == {"num_iterations": 4, "optim": {"lr": 1e-6, "beta": "NaN"}}
    assert log.config("second") == log.config("no such run") == {}


def test_a_configuration_that_is_no_object_or_has_no_table_is_none(
    database: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "p.db"
    copy.write_bytes(database.read_bytes())
    writer = sqlite3.connect(copy)
    with writer:
        writer.execute("UPDATE configs SET config = '[1, 2'")
    assert read(copy)[1].config("first") == {}
    with writer:
        writer.execute("UPDATE configs SET config = CAST(x'ff' AS TEXT)")
    assert read(copy)[1].config("first") == {}
    with writer:
        writer.execute("DROP TABLE configs")
    assert read(copy)[1].config("first") == {}
    writer.close()


def test_a_database_at_rest_keeps_its_bytes_and_gets_no_side_files(database: Path) -> None:
    before = {file.name: file.read_bytes() for file in database.parent.iterdir()}
    read(database)
    assert {file.name: file.read_bytes() for file in database.parent.iterdir()} == before


def test_rows_of_a_live_writer_appear_once_and_it_is_never_held_up(database: Path) -> None:
    log = Log(database)
    assert len(log.new() + log.flush()) == 3
    writer = sqlite3.connect(database, timeout=0)
    insert = (
        "INSERT INTO metrics (run_id, timestamp, run_name, step, metrics) "
        "SELECT run_id, timestamp, run_name, ?, '{\"reward\": 7}' FROM metrics LIMIT 1"
    )
    with writer:
        writer.execute(insert, (6,))
        assert log.new() + log.flush() == []
    assert [record.step for record in log.new() + log.flush()] == [6]
    with writer:
        writer.execute(insert, (7,))
    assert [record.step for record in log.new() + log.flush()] == [7]
    with writer:
        writer.execute("DELETE FROM metrics WHERE step IN (6, 7)")
    writer.close()
