"""`collapse-lab runs`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from collapse_lab.records import SEVERITIES


@click.command()
@click.argument("root", default=Path("runs"), type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a run, a line each.")
def runs(root: Path, as_json: bool) -> None:
    """Lists the runs in the folder ROOT (default: runs), the newest first.

    The worst alarm is the first of those that were most severe.
    State is running, finished, failed, stopped (by an alarm), or lost when the process that wrote
    the run has died: `collapse-lab watch --resume` continues it.
    """
    from collapse_lab.store import find_runs

    rows = [_row(folder) for folder in find_runs(root)]
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
    from collapse_lab.store import RECORDS, RunReader, writer_lives

    reader = RunReader(folder)
    meta, alarms = reader.meta, reader.alarms()
    state = meta.get("state", "unknown")
    if state == "running" and not writer_lives(meta):
        state = "lost"
    records = folder / RECORDS
    changed = (records if records.exists() else folder).stat().st_mtime
    worst = max(alarms, key=lambda alarm: SEVERITIES.index(alarm.severity), default=None)
    return {
        "run": folder.name,
        "path": str(folder),
        "state": state,
        "steps": len({record.step for record in reader.new()}),
        "worst_alarm": f"{worst.severity} at {worst.step} ({worst.detector})" if worst else None,
        "age": time.time() - changed,
        "command": meta.get("command"),
    }


def _age(seconds: float) -> str:
    """
    >>> _age(12), _age(7500), _age(200000)
    ('12 s', '2 h', '2 d')
    """
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
