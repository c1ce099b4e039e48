"""Runs to measure the app on: many finished ones, and one that is long."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np


def many_runs(root: Path, count: int) -> None:
    """Finished runs of 200 steps; a tenth of them have an alarm."""
    import polars as pl

    random = np.random.default_rng(0)
    frame = pl.DataFrame({"step": np.arange(200), "time": 1e9 + np.arange(200.0)}).with_columns(
        pl.lit(0, pl.Int64).alias("attempt"), pl.Series("reward/mean", random.normal(size=200))
    )
    frame.write_parquet(root / "template.parquet")
    template = (root / "template.parquet").read_bytes()
    (root / "template.parquet").unlink()
    evidence = [
        {
            "signal": "policy/entropy", "family": "policy", "since": 90, "observed": 0.1,
            "expected": 0.4, "low": 0.3, "high": 0.5, "direction": "down", "score": 9.0,
            "bad_steps": 5, "steps": 6,
        }
    ]  # fmt: skip
    alarm = {
        "step": 100, "severity": "alarm", "detector": "e-detector", "since": 90,
        "message": "3 families of signals deviate together", "since_interval": [85, 95],
        "evidence": evidence, "last_healthy_step": 84, "not_monitored": [], "notes": [],
    }  # fmt: skip
    algorithms = ("grpo", "gspo", "dapo", "sapo", "cispo")
    for number in range(count):
        folder = root / f"run-{number:05}"
        folder.mkdir()
        config = {"algorithm": algorithms[number % 5], "task": f"task-{number % 7}", "lr": 1e-6}
        meta = {"state": "finished", "framework": "verl", "config": config, "planned_steps": 200}
        (folder / "run.json").write_text(json.dumps(meta))
        (folder / "records.parquet").write_bytes(template)
        (folder / "alarms.jsonl").write_text(json.dumps(alarm) + "\n" if number % 10 == 0 else "")


def long_run(folder: Path, steps: int) -> list[str]:
    """A sealed run of 30 signals, with spikes, NaN and infinities."""
    import polars as pl

    from collapse_lab.signals import SIGNALS

    names = [name for name in SIGNALS if name != "time/tokens"][:30]
    random = np.random.default_rng(0)
    columns: dict[str, Any] = {"step": np.arange(steps), "time": 1e9 + np.arange(float(steps))}
    columns["attempt"] = np.zeros(steps, np.int64)
    for name in names:
        values = np.exp(random.normal(scale=0.1, size=steps).cumsum() / 1e2)
        values[random.integers(0, steps, 5)] = (50.0, np.nan, np.inf, -np.inf, 80.0)
        columns[name] = values
    folder.mkdir()
    pl.DataFrame(columns).write_parquet(folder / "records.parquet")
    (folder / "run.json").write_text(json.dumps({"state": "finished", "config": {}}))
    return names
