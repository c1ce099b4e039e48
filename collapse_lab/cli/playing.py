"""`collapse-lab demo`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--short",
    is_flag=True,
    help="Neither wait between the steps nor print them: alarms and verdict only.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("collapse-lab-demo.svg"),
    show_default=True,
    help="Where the picture of the collapse is drawn, as SVG.",
)
def demo(short: bool, out: Path) -> None:
    """Plays a recorded collapse as if it happened now, and tells what the alarm was worth."""
    from collapse_lab.demo import run

    try:
        run(short, out, click.echo)
    except OSError as error:
        raise click.BadParameter(str(error), param_hint="--out") from None
