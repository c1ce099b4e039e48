"""What it takes the app, TensorBoard and trackio to have a long run ready to draw."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, cast

from benchmarks.dashboard_runs import long_run
from benchmarks.dashboard_times import peak, seconds


def peers(root: Path, steps: int) -> list[list[str]]:
    """What it takes to have a run of 30 signals ready to draw, each in a process of its own."""
    names = long_run(root / "same", steps)
    apart(_write_events, root, names)
    apart(_write_trackio, root)
    return [
        ["this app, all panels", *apart(_load_ours, root, names)],
        ["TensorBoard, EventAccumulator", *apart(_load_events, root, names)],
        ["trackio, get_logs", *apart(_load_trackio, root)],
    ]


def apart(work: Callable[..., list[str]], *given: Any) -> list[str]:
    """Runs it in a fresh process; adds that process's largest resident size in MB."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn) as pool:
        return [*pool.submit(work, *given).result(), pool.submit(peak).result()]


def _rows(root: Path) -> tuple[list[int], list[dict[str, float]]]:
    import polars as pl

    frame = pl.read_parquet(root / "same" / "records.parquet").drop("time", "attempt")
    return frame["step"].to_list(), frame.drop("step").to_dicts()


def _load_ours(root: Path, names: list[str]) -> list[str]:
    from dash._utils import to_json

    from collapse_lab.dashboards.app import open_desk
    from collapse_lab.dashboards.drawing import POINTS, sheet

    desk = open_desk(root, judge=False)
    took = seconds(lambda: to_json(sheet(desk, "same", {}, "light", names).figures), 1)
    return [*took, f"{POINTS}, with every extreme"]


def _write_events(root: Path, names: list[str]) -> list[str]:
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    event, summary = cast(Any, event_pb2).Event, cast(Any, summary_pb2).Summary
    writer = EventFileWriter(str(root / "tensorboard"), max_queue_size=10_000)
    for step, row in zip(*_rows(root), strict=True):
        parts = [summary.Value(tag=name, simple_value=row[name]) for name in names]
        writer.add_event(event(step=step, wall_time=1e9 + step, summary=summary(value=parts)))
    writer.close()
    return []


def _load_events(root: Path, names: list[str]) -> list[str]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    loaded = EventAccumulator(str(root / "tensorboard"), size_guidance={"scalars": 1000})
    took = seconds(loaded.Reload, 1)
    values = [event.value for event in loaded.Scalars(names[0])]
    spikes = sum(value in (50.0, 80.0) for value in values)
    return [*took, f"{len(values)}, with {spikes} of the 2 spikes"]


def _write_trackio(root: Path) -> list[str]:
    storage = _trackio(root)
    steps, rows = _rows(root)
    storage.bulk_log("bench", "long", rows, steps=steps)
    return []


def _load_trackio(root: Path) -> list[str]:
    storage = _trackio(root)
    found: list[Any] = []
    took = seconds(lambda: found.extend(storage.get_logs("bench", "long")), 1)
    return [*took, f"{len(found):,}"]


def _trackio(root: Path) -> Any:
    os.environ["TRACKIO_DIR"] = str(root / "trackio")
    from trackio.sqlite_storage import SQLiteStorage

    return SQLiteStorage
