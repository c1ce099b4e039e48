"""`collapse-lab train`: an instrumented training run."""

from __future__ import annotations

from pathlib import Path

import click

MISSING = "training needs torch and transformers: pip install 'collapse-lab[train]'"


@click.command()
@click.argument("algorithm", required=False)
@click.option("--task", default="household", show_default=True, help="What is trained on.")
@click.option("--seed", default=0, show_default=True, help="Seed of the tasks and the sampling.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change a field of the recipe, such as lr=1e-3 or clip=soft_gate; repeatable.",
)
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Where the run folder is made.",
)
@click.option("--list", "listed", is_flag=True, help="List algorithms and tasks, and exit.")
def train(
    algorithm: str | None,
    task: str,
    seed: int,
    settings: tuple[str, ...],
    root: Path,
    listed: bool,
) -> None:
    """Trains a small agent with ALGORITHM on a task that can be made to collapse on purpose.

    The run folder holds the complete recipe and one record a step; the same command continues a
    run that was cut short. `collapse-lab watch -- collapse-lab train cispo` watches it.

    Exit code: 0, or 2 for what cannot be trained.
    """
    try:
        from collapse_lab.trainers.launch import listing, train_command
    except ModuleNotFoundError as error:
        raise click.UsageError(f"{MISSING} ({error})") from None
    if listed:
        click.echo(listing())
        return
    if algorithm is None:
        raise click.UsageError("name an ALGORITHM, or use --list")
    try:
        train_command(algorithm, task, seed, settings, root, echo=click.echo)
    except (ValueError, FileExistsError) as error:
        raise click.UsageError(str(error)) from None
