"""`collapse-lab demo`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option("--short", is_flag=True, help="Do not wait between steps; print only the verdict.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("collapse-lab-demo.svg"),
    show_default=True,
    help="Where the picture of the collapse is drawn.",
)
def demo(short: bool, out: Path) -> None:
    """Plays a recorded collapse as if it happened now, and tells what the alarm was worth."""
    from collapse_lab.demo import run

    run(short, out, click.echo)
