"""`collapse-lab demo`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--recorded",
    is_flag=True,
    help="Play a recorded collapse instead of training one: seconds, and no torch.",
)
@click.option(
    "--short",
    is_flag=True,
    help="The recorded collapse without waiting between its steps or printing them.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("collapse-lab-demo.html"),
    show_default=True,
    help="Where the picture of the collapse is drawn: a page, or the picture alone as .svg.",
)
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Where the trained runs have their folders.",
)
def demo(recorded: bool, short: bool, out: Path, root: Path) -> None:
    """Trains a small agent until it collapses, watched live, and tells what the alarm was worth.

    The clip of the first run tolerates large ratios; the second is SAMPO from the same start. Some
    minutes on two cores. Without the extra `train` a recorded collapse is played instead.
    """
    import subprocess
    from importlib.util import find_spec

    from collapse_lab.demo import run

    try:
        if recorded or short:
            run(short, out, click.echo)
        elif find_spec("torch") is None:
            click.echo("This is a record: pip install 'collapse-lab[train]' to train it here.\n")
            run(short, out, click.echo)
        else:
            from collapse_lab.trainers.demonstration import demonstrate

            demonstrate(root, out, click.echo)
    except subprocess.CalledProcessError as error:
        raise click.ClickException("the training ended early; its output says why") from error
    except BrokenPipeError:  # `| head`: click ends quietly
        raise
    except OSError as error:
        raise click.BadParameter(str(error), param_hint="--out") from None
