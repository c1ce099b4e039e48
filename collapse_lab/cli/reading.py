"""`collapse-lab replay` and `collapse-lab label`: finished logs and runs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from collapse_lab.cli.calibrating import CALIBRATION, load_limits
from collapse_lab.records import SEVERITIES, Record, Severity, reaches, runs_of

if TYPE_CHECKING:
    from collapse_lab.readers.reader import Log

ALARMED, UNREADABLE = 3, 2

PATHS = click.argument(
    "paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH..."
)


@click.command()
@PATHS
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a log, a line each.")
@click.option(
    "--fail-on",
    type=click.Choice(SEVERITIES),
    help="Exit with 3 when a log raises an alarm of this severity or worse.",
)
@click.option(
    "--planned-steps",
    type=click.IntRange(min=1),
    help="Training steps that the runs were planned for, when known and not stated by a run "
    "folder: detectors are then a little faster at the same rate of false alarms.",
)
@CALIBRATION
def replay(
    paths: tuple[Path, ...],
    as_json: bool,
    fail_on: Severity | None,
    planned_steps: int | None,
    calibration: Path | None,
) -> None:
    """Runs the detectors over finished logs and run folders, as if they were live.

    PATH is a log of any known format (the console output or the metrics file of a trainer, an
    event folder, an experiment tracker's store) or a run folder. What cannot be read is reported
    on standard error; the other paths are still processed.

    Exit code: 0, 2 when a path could not be read or, with --fail-on, when it holds nothing that is
    judged, 3 as --fail-on says.
    """
    from collapse_lab.cli.replayed import Replayed
    from collapse_lab.watch import detect
    from collapse_lab.watch.afterwards import facts_of, panel_for

    limits = load_limits(calibration)
    code = 0
    for path, records, log in _logs(paths):
        if log is None:
            code = UNREADABLE
            continue
        replayed = Replayed(path, log)
        try:
            stated = _stated(path)
        except ValueError as error:
            click.echo(f"collapse-lab: {error}", err=True)
            code = UNREADABLE
            continue
        if planned_steps:
            stated = {**stated, "planned_steps": planned_steps}
        for run, part in runs_of(records):
            facts = facts_of(stated, log, run)
            for record, alarms in detect(part, partial(panel_for, facts, limits)):
                replayed.add(record, alarms)
        click.echo(json.dumps(replayed.to_dict()) if as_json else replayed.to_text())
        if fail_on and not replayed.signals():
            click.echo(f"collapse-lab: {path}: {replayed.not_judged()}", err=True)
            code = UNREADABLE
        if code == 0 and any(reaches(alarm.severity, fail_on) for _, alarm in replayed.alarms):
            code = ALARMED
    sys.exit(code)


@click.command()
@PATHS
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a run, a line each.")
def label(paths: tuple[Path, ...], as_json: bool) -> None:
    """Says after the fact whether a run collapsed, how, and when.

    The onset is the step where the fall began, the crossing the step where half of what had been
    gained was lost. A log that holds several runs gets a line for each.

    Exit code: 0, or 2 when a path could not be read.
    """
    from collapse_lab.labels import label_run

    code = 0
    for path, records, log in _logs(paths):
        if log is None:
            code = UNREADABLE
            continue
        for run, part in runs_of(records):
            found = label_run(part)
            named = {"run": run} if run else {}
            if as_json:
                facts = {"class": found.kind, "onset": found.onset, "cross": found.cross}
                click.echo(json.dumps({"path": os.fspath(path), **named, **facts}))
            else:
                when = "" if found.onset is None else f"onset {found.onset}, crossed {found.cross}"
                name = f"{path} [{run}]" if run else str(path)
                click.echo(f"{found.kind:<17} {when:<28} {name}")
    sys.exit(code)


def _logs(paths: Sequence[Path]) -> Iterator[tuple[Path, list[Record], Log | None]]:
    """Every path with its records; one that cannot be read is reported, its log is None."""
    from collapse_lab.readers.reader import read

    for path in paths:
        try:
            records, log = read(path)
        except (OSError, ValueError, ImportError) as error:
            click.echo(f"collapse-lab: {error}", err=True)
            yield path, [], None
        else:
            yield path, records, log


def _stated(path: Path) -> Mapping[str, Any]:
    """What a run folder says of its run, so that it is judged as it was live."""
    from collapse_lab.store import read_meta

    return read_meta(path) if path.is_dir() else {}
