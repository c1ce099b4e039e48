"""`collapse-lab runs`."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import click

from collapse_lab.records import SEVERITIES, Record


@click.command()
@click.argument("root", default=Path("runs"), type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a run, a line each.")
def runs(root: Path, as_json: bool) -> None:
    """Lists the runs in the folder ROOT (default: runs), the newest first.

    The worst alarm is the first of those that were most severe.
    State is running, stalled (silent for a minute and for ten of its usual steps), finished,
    failed, stopped (by an alarm), or lost when the process that wrote the run has died:
    `collapse-lab watch --resume` continues it. A run whose run.json cannot be read is named on
    standard error.
    """
    from collapse_lab.store import find_runs

    rows: list[dict[str, Any]] = []
    for folder in find_runs(root):
        try:
            rows.append(_row(folder))
        except ValueError as error:
            click.echo(f"collapse-lab: {error}", err=True)
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return
    if not rows:
        click.echo(f"no runs in {root}")
        return
    lines = [("RUN", "STATE", "STEPS", "WORST ALARM", "AGE")]
    lines += [
        (row["run"], row["state"], str(row["steps"]), row["worst_alarm"] or "-", _age(row["age"]))
        for row in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        cells = zip(line, widths, strict=True)
        click.echo("  ".join(cell.ljust(width) for cell, width in cells).rstrip())


def _row(folder: Path) -> dict[str, Any]:
    from collapse_lab.store import RECORDS, RunReader, has_stalled, records_of, run_state

    reader = RunReader(folder)
    meta, alarms, written = reader.meta, reader.alarms(), records_of(folder)
    records = folder / RECORDS
    changed = (records if records.exists() else folder).stat().st_mtime
    now = time.time()
    state = run_state(meta, changed, now)
    if state == "running" and has_stalled(now - changed, _pace(written)):
        state = "stalled"
    worst = max(alarms, key=lambda alarm: SEVERITIES.index(alarm.severity), default=None)
    return {
        "run": folder.name,
        "path": str(folder),
        "state": state,
        "steps": len({record.step for record in written}),
        "worst_alarm": f"{worst.severity} at {worst.step} ({worst.detector})" if worst else None,
        "age": now - changed,
        "command": meta.get("command"),
    }


def _pace(records: Sequence[Record]) -> float | None:
    """Seconds a step of late; None of a run of one."""
    times = [record.time for record in records[-200:] if math.isfinite(record.time)]
    gaps = [after - before for before, after in pairwise(times)]
    return median(gaps) if gaps else None


def _age(seconds: float) -> str:
    """
    >>> _age(12), _age(7500), _age(200000)
    ('12 s', '2 h', '2 d')
    """
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
