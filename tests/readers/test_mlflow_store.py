"""MLflow's database and folder, written by MLflow itself."""

from __future__ import annotations

import math
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from collapse_lab.readers.mlflow_store import INFINITY
from collapse_lab.readers.reader import Log, read
from collapse_lab.records import NEW_RUN

pytest.importorskip("mlflow", reason="needs mlflow-skinny")

PROGRAM = """
import sys
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
if sys.argv[1].startswith("sqlite"):
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as Store
else:
    from mlflow.store.tracking.file_store import FileStore as Store
store = Store(sys.argv[1], sys.argv[2])
for name in ("one", "two"):
    run = store.create_run("0", "me", 0, [], name).info.run_id
    if name == "one":
        how = {"epsilon": 0.2, "actor/use_kl": False, "quantization": None, "name": "a = b"}
        store.log_batch(run, [], [Param(key, str(value)) for key, value in how.items()], [])
    for step in range(3):
        reward = [0.5, float("nan"), float("-inf")][step]
        metrics = [("train/reward", reward), ("kl", 0.25), ("system/cpu", 9.0)]
        store.log_batch(run, [Metric(k, v, 1700000000000 + step, step) for k, v in metrics], [], [])
"""


def store(folder: Path, kind: str) -> Path:
    target = folder / ("mlflow.db" if kind == "sqlite" else "mlruns")
    uri = f"sqlite:///{target}" if kind == "sqlite" else str(target)
    subprocess.run(
        [sys.executable, "-c", PROGRAM, uri, str(folder / "artifacts")],
        check=True,
        env={**os.environ, "MLFLOW_ALLOW_FILE_STORE": "true"},
        timeout=600,
        stderr=subprocess.DEVNULL,
    )
    return target


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("sqlalchemy", reason="MLflow's database needs SQLAlchemy")
    pytest.importorskip("alembic", reason="MLflow's database needs Alembic")
    return store(tmp_path_factory.mktemp("mlflow"), "sqlite")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store(tmp_path_factory.mktemp("mlflow"), "folder")


@pytest.mark.parametrize(("kind", "format"), [("database", "mlflow"), ("folder", "mlflow-folder")])
def test_every_run_is_read_with_its_non_finite_numbers(
    kind: str, format: str, request: pytest.FixtureRequest
) -> None:
    records, log = read(request.getfixturevalue(kind))
    assert log.format == format
    assert [record.step for record in records] == [0, 1, 2, 0, 1, 2]
    runs = [record.notes[NEW_RUN] for record in records if NEW_RUN in record.notes]
    assert sorted(run.partition("-")[0] for run in runs) == ["one", "two"]
    for first, second, third in (records[:3], records[3:]):
        assert first.values == {"reward/mean": 0.5, "kl/ref": 0.25} and first.time == 1.7e9
        assert math.isnan(second.values["reward/mean"])
        assert third.values["reward/mean"] == -math.inf


@pytest.mark.parametrize("kind", ["database", "folder"])
def test_parameters_are_the_configuration_of_their_run(
    kind: str, request: pytest.FixtureRequest
) -> None:
    records, log = read(request.getfixturevalue(kind))
    runs = {run.partition("-")[0]: run for record in records if (run := record.notes.get(NEW_RUN))}
    assert log.config(runs["one"]) == {
        "epsilon": 0.2, "actor.use_kl": False, "quantization": None, "name": "a = b",
    }  # fmt: skip
    assert log.config(runs["two"]) == log.config("no such run") == {}


def test_infinity_is_restored_from_the_database_and_said_so(database: Path) -> None:
    records, _ = read(database)
    assert records[2].notes == {"reward/mean": INFINITY}


def test_points_of_a_live_run_appear_once_in_the_database(database: Path) -> None:
    log = Log(database)
    assert len(log.new() + log.flush()) == 6
    writer = sqlite3.connect(database, timeout=0)
    insert = (
        "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) "
        "SELECT 'kl', 4.0, 1700000000003, run_uuid, 3, 0 FROM runs WHERE name = 'two'"
    )
    with writer:
        writer.execute(insert)
    assert [(record.step, dict(record.values)) for record in log.new() + log.flush()] == [
        (3, {"kl/ref": 4.0})
    ]
    with writer:
        writer.execute("DELETE FROM metrics WHERE step = 3")
    writer.close()


def test_points_of_a_live_run_appear_once_in_the_folder(folder: Path) -> None:
    log = Log(folder)
    assert len(log.new() + log.flush()) == 6
    metric = sorted(folder.glob("*/*/metrics/kl"))[0]
    whole = metric.read_text()
    with metric.open("a") as file:
        file.write("1700000000003 4.")
        file.flush()
        assert log.new() + log.flush() == []
        file.write("0 3\n")
    assert [(record.step, dict(record.values)) for record in log.new() + log.flush()] == [
        (3, {"kl/ref": 4.0})
    ]
    metric.write_text(whole)
