"""The command line. Stable: scripts of others rely on its names, exit codes and JSON.

What a command needs is imported inside it, so that `collapse-lab --help` answers at once.
"""

from __future__ import annotations

import errno
from typing import Any

import click

from collapse_lab import __version__
from collapse_lab.cli.calibrating import calibrate
from collapse_lab.cli.dashing import dash
from collapse_lab.cli.listing import runs
from collapse_lab.cli.playing import demo
from collapse_lab.cli.reading import label, replay
from collapse_lab.cli.reporting import report
from collapse_lab.cli.scoring import score
from collapse_lab.cli.training import train
from collapse_lab.cli.watching import watch


class Program(click.Group):
    """Commands that cannot write what they say (a full disk) end with a sentence."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
                raise
            raise click.ClickException(str(error)) from None


@click.group(
    cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="collapse-lab")
def main() -> None:
    """Tells when an RL post-training run turns for the worse: live around a command, live beside
    a growing log, or after the fact."""


for command in (demo, watch, replay, label, report, runs, dash, train, score, calibrate):
    main.add_command(command)
