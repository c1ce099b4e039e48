"""`collapse-lab watch`."""

from __future__ import annotations

import itertools
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from collapse_lab.cli.calibrating import CALIBRATION, load_limits
from collapse_lab.records import SEVERITIES, Severity

if TYPE_CHECKING:
    from collapse_lab.alerts import Target
    from collapse_lab.watch import Judge
    from collapse_lab.watch.plan import Plan

NOT_FOUND = 127


@click.command(context_settings={"allow_interspersed_args": False})
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[--] [CMD ...]")
@click.option(
    "--follow",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Attach to a log file or event folder that something else writes, instead of running a "
    "command. Waits for it to appear; Ctrl-C ends.",
)
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Folder of the run folders.",
)
@click.option(
    "--name",
    help="Name of the run folder; one that exists is continued. Default: the command's name and "
    "the time.",
)
@click.option(
    "--resume",
    metavar="RUN",
    help="Continue this run: a folder, or the name of one under --root. The detectors first go "
    "through its records, so that they stand where they stood.",
)
@click.option(
    "--planned-steps",
    type=click.IntRange(min=1),
    help="Training steps that the run is planned for, when known: detectors are then a little "
    "faster at the same rate of false alarms.",
)
@click.option(
    "--alert",
    "alerts",
    multiple=True,
    metavar="[SEVERITY=]URL",
    help="Tell a service that apprise knows: slack://..., mailto://..., ntfy://... Needs the "
    "extra `alerts`. SEVERITY= in front gives this target its own threshold: "
    "critical=slack://... It is told, too, when the signals of an alarm have come back. May be "
    "repeated, as may --hook and --webhook.",
)
@click.option(
    "--hook",
    "hooks",
    multiple=True,
    metavar="[SEVERITY=]CMD",
    help="Run a shell command on an alarm, with the alarm as JSON on its standard input and "
    "COLLAPSE_LAB_RUN, _STEP, _SEVERITY and _DETECTOR in its environment. It has 30 seconds; what "
    "it prints goes to watch.log in the run folder.",
)
@click.option(
    "--webhook",
    "webhooks",
    multiple=True,
    metavar="[SEVERITY=]URL",
    help="POST the alarm in the shape of Alertmanager's webhook (version 4), and again when it is "
    "resolved: its signals came back, the run was restarted from a checkpoint, or it ended.",
)
@click.option(
    "--alert-min",
    type=click.Choice(SEVERITIES),
    default="alarm",
    show_default=True,
    help="Least severity that targets without one of their own are told of.",
)
@click.option(
    "--cooldown",
    type=click.FloatRange(min=0),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="A detector that repeats itself is not told again for so long, unless it is more severe.",
)
@click.option(
    "--max-alerts",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Most alerts that one target gets of a run.",
)
@click.option(
    "--on-alarm",
    default="none",
    show_default=True,
    metavar="ACTION",
    help="What to do to the run, once: none; stop (a STOP file in the run folder, SIGTERM, then "
    "SIGKILL; a command that uses collapse_lab.init first gets the grace period to save and end "
    "by itself); signal:NAME, such as signal:USR1; touch:FILE.",
)
@click.option(
    "--on-alarm-min",
    type=click.Choice(SEVERITIES),
    default="alarm",
    show_default=True,
    help="Least severity that sets --on-alarm off.",
)
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="Time between SIGTERM and SIGKILL when an alarm stops the command.",
)
@CALIBRATION
@click.option(
    "--dash",
    is_flag=True,
    help="Open the app on the run, in a process of its own. It ends when this watch has ended and "
    "no page has been open for ten minutes.",
)
def watch(
    command: tuple[str, ...],
    follow: Path | None,
    root: Path,
    name: str | None,
    resume: str | None,
    planned_steps: int | None,
    alerts: tuple[str, ...],
    hooks: tuple[str, ...],
    webhooks: tuple[str, ...],
    alert_min: Severity,
    cooldown: float,
    max_alerts: int,
    on_alarm: str,
    on_alarm_min: Severity,
    grace: float,
    calibration: Path | None,
    dash: bool,
) -> None:
    """Runs CMD unchanged, records its metrics and tells when the run turns for the worse.

    CMD keeps its terminal, its output byte for byte, its signals and its exit code; an alarm is a
    short block on standard error. The records come from what CMD prints, or from
    `collapse_lab.init` inside it. Exit code: that of CMD, or 3 when --on-alarm stopped it.

    \b
      collapse-lab watch -- python train.py --lr 1e-6
      collapse-lab watch --hook ./page.sh --on-alarm signal:USR1 -- torchrun train.py
      collapse-lab watch --follow logs/train.log
    """
    from collapse_lab import actions
    from collapse_lab.watch.plan import Plan

    if bool(command) == bool(follow):
        raise click.UsageError("give a command after --, or --follow PATH, one of the two")
    if name and resume:
        raise click.UsageError("--name and --resume both say which run: give one of the two")
    try:
        action = actions.parse(on_alarm, grace)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--on-alarm") from None
    if follow and isinstance(action, actions.Stop | actions.Signal):
        raise click.UsageError(
            f"--on-alarm {on_alarm} needs a command; --follow has none to act on"
        )

    limits = load_limits(calibration)

    def panel(planned_steps: int | None, config: Any) -> Judge:
        from collapse_lab.detectors.panel import Panel

        return Panel(planned_steps, limits=limits, config=config)

    def targets() -> list[Target]:
        from collapse_lab.alerts import targets

        return targets(alerts, hooks, webhooks, alert_min)

    plan = Plan(
        folder=_folder(root, name, resume, str(follow) if follow else _stem(command)),
        meta=_meta(command, follow, planned_steps),
        make_panel=panel,
        targets=targets,
        policy=actions.Policy(action, on_alarm_min),
        cooldown=cooldown,
        most_alerts=max_alerts,
        follow=follow is not None,
    )
    if dash:
        _open_app(plan.folder)
    sys.exit(_watch_log(follow, plan) if follow else _watch_command(command, plan))


def _watch_command(command: Sequence[str], plan: Plan) -> int:
    from collapse_lab.watch.supervisor import CannotWatch, watch

    if shutil.which(command[0]) is None:
        click.echo(f"collapse-lab: {command[0]}: command not found", err=True)
        return NOT_FOUND
    try:
        return watch(command, plan, os.environ)
    except CannotWatch as error:
        raise click.UsageError(str(error)) from None


def _watch_log(path: Path, plan: Plan) -> int:
    from collapse_lab.watch.follow import watch_log

    try:
        watch_log(path, plan)
    except (OSError, ValueError) as error:
        raise click.UsageError(str(error)) from None
    return 0


def _open_app(folder: Path) -> None:
    """Nothing that befalls the app reaches the command: no terminal, session or pipe is shared."""
    from collapse_lab.cli.dashing import start

    try:
        link = start(folder)
    except ModuleNotFoundError as error:
        raise click.UsageError(f"--dash: {error}") from None
    click.echo(f"collapse-lab: the app opens at {link}", err=True)


def _folder(root: Path, name: str | None, resume: str | None, stem: str) -> Path:
    """The run folder, absolute: the command may change its working directory."""
    if resume:
        for folder in (Path(resume), root / resume):
            if (folder / "run.json").is_file():
                return folder.absolute()
        raise click.UsageError(f"there is no run {resume} to resume, neither here nor in {root}")
    if name:
        if Path(name).name != name or name == "..":
            raise click.BadParameter(
                f"{name!r} is no name of a folder; --root says where it lies", param_hint="--name"
            )
        return (root / name).absolute()
    stem = re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "run"
    return (root / f"{stem}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}").absolute()


def _stem(command: Sequence[str]) -> str:
    """What a person would call the command: its script or module rather than its interpreter.

    >>> _stem(["python", "-u", "train.py", "--lr", "1"]), _stem(["python", "-m", "verl.main_ppo"])
    ('train', 'verl.main_ppo')
    >>> _stem(["/usr/bin/make", "run"])
    'make'
    """
    for before, word in itertools.pairwise(command):
        if before == "-m":
            return word
        if word.endswith((".py", ".sh")):
            return Path(word).stem
    return Path(command[0]).name


def _meta(command: Sequence[str], follow: Path | None, planned_steps: int | None) -> dict[str, Any]:
    from collapse_lab.store import provenance

    meta: dict[str, Any] = provenance()
    if follow:
        meta["followed"] = str(follow.absolute())
    else:
        meta["command"] = list(command)
    if planned_steps:
        meta["planned_steps"] = planned_steps
    return meta
