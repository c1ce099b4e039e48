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
@click.option(
    "--live",
    is_flag=True,
    help="Train instead of playing a record: two runs, some minutes on two cores, needs the "
    "extra `train`.",
)
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Where --live makes its run folders.",
)
def demo(short: bool, out: Path, live: bool, root: Path) -> None:
    """Plays a recorded collapse as if it happened now, and tells what the alarm was worth.

    With --live the collapse is made now: an agent is trained with a tolerant clip under `watch`
    until it collapses, then with SAMPO from the same start.
    """
    import subprocess

    from collapse_lab.demo import run

    try:
        if live:
            from collapse_lab.trainers.demonstration import demonstrate

            demonstrate(root, out, click.echo)
        else:
            run(short, out, click.echo)
    except subprocess.CalledProcessError as error:
        raise click.ClickException("the training ended early; its output says why") from error
    except OSError as error:
        raise click.BadParameter(str(error), param_hint="--out") from None
