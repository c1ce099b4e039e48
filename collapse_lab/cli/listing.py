"""`collapse-lab runs`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from collapse_lab.inert import inert
from collapse_lab.records import SEVERITIES

HEADER = ("RUN", "STATE", "STEPS", "WORST ALARM", "AGE")
MOST_REASON = 300


@click.command()
@click.argument("root", default=Path("runs"), type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a run, a line each.")
def runs(root: Path, as_json: bool) -> None:
    """Lists the runs in the folder ROOT (default: runs), the newest first.

    The worst alarm is the first of those that were most severe.
    State is running, stalled (silent for a minute and for ten of its usual steps), finished,
    failed, stopped (by an alarm), lost when the process that wrote the run has died
    (`collapse-lab watch --resume` continues it), or unreadable, with the reason.

    Exit code: 0, or 2 when there is no folder ROOT.
    """
    from collapse_lab.store import find_runs

    if not root.is_dir():
        raise click.UsageError(f"there is no folder {root}")
    rows = [_row(folder) for folder in find_runs(root)]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return
    if not rows:
        click.echo(f"no runs in {root}")
        return
    lines = [HEADER, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    reasons = ["", *(row["reason"] or "" for row in rows)]
    for line, reason in zip(lines, reasons, strict=True):
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        click.echo("  ".join([*cells, inert(reason, MOST_REASON)]).rstrip())


def _row(folder: Path) -> dict[str, Any]:
    """What there is to say of a run; of one that cannot be read, why."""
    about = {"run": folder.name, "path": str(folder), "reason": None}
    try:
        return about | _facts(folder)
    except (OSError, ValueError) as error:
        unknown = dict.fromkeys(("steps", "reached", "worst_alarm", "age", "command"))
        return about | unknown | {"state": "unreadable", "reason": str(error)}


def _facts(folder: Path) -> dict[str, Any]:
    """`steps` were recorded; `reached` is how many had been made by the last record."""
    from collapse_lab.liveness import has_stalled, pace_of, run_state
    from collapse_lab.store import RECORDS, RunReader, records_of

    reader = RunReader(folder)
    meta, alarms, written = reader.meta, reader.alarms(), records_of(folder)
    records = folder / RECORDS
    changed = (records if records.exists() else folder).stat().st_mtime
    now = time.time()
    state = run_state(meta, changed, now)
    pace = pace_of([record.time for record in written])
    if state == "running" and has_stalled(now - changed, pace):
        state = "stalled"
    worst = max(alarms, key=lambda alarm: SEVERITIES.index(alarm.severity), default=None)
    return {
        "state": state,
        "steps": len({record.step for record in written}),
        "reached": written[-1].step + (written[0].step == 0) if written else 0,
        "worst_alarm": f"{worst.severity} at {worst.step} ({worst.detector})" if worst else None,
        "age": now - changed,
        "command": meta.get("command"),
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    reached = "-" if row["reached"] is None else str(row["reached"])
    age = "-" if row["age"] is None else _age(row["age"])
    return row["run"], row["state"], reached, row["worst_alarm"] or "-", age


def _age(seconds: float) -> str:
    """
    >>> _age(12), _age(7500), _age(200000)
    ('12 s', '2 h', '2 d')
    """
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
