"""`collapse-lab report`: one run as a file to attach to an issue."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from collapse_lab.cli.reading import UNREADABLE

if TYPE_CHECKING:
    from collapse_lab.report import Format


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="The file to write, - for standard output; by default RUN-report.html in this folder.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "markdown"]),
    help="By default what the name of --out says: Markdown for .md, else HTML.",
)
def report(run: Path, out: Path | None, form: Format | None) -> None:
    """Writes one page about RUN that a person attaches to an issue.

    RUN is a run folder, or any log that `replay` reads; a log is judged first. The page holds what
    happened, the curves around the alarm, the evidence, all alarms, the configuration with secrets
    masked, the environment, samples of the rollouts where they were kept, and how to see it again.
    It needs no other file and no script.

    Exit code: 0, or 2 when RUN cannot be read or the file cannot be written.
    """
    from collapse_lab.report import FORMATS, SUFFIXES, file_stem, open_case

    form = form or ("markdown" if out and out.suffix == SUFFIXES["markdown"] else "html")
    try:
        case = open_case(run)
    except (OSError, ValueError, ImportError) as error:
        click.echo(f"collapse-lab: {error}", err=True)
        sys.exit(UNREADABLE)
    text = FORMATS[form](case)
    if out == Path("-"):
        click.echo(text, nl=False)
        return
    out = out or Path(f"{file_stem(case.name)}-report{SUFFIXES[form]}")
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.BadParameter(str(error), param_hint="--out") from None
    click.echo(f"The report: {out}")
