"""`collapse-lab calibrate`, and the option by which other commands use what it wrote."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collapse_lab.calibration.conformal import Course
    from collapse_lab.calibration.saved import Calibration
    from collapse_lab.corpus import LeftOut
    from collapse_lab.detectors.limits import Limits

CORPUS = click.argument(
    "corpus",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="CORPUS...",
)
CALIBRATION = click.option(
    "--calibration",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Limits that `collapse-lab calibrate` has set. Detectors that it does not cover only "
    "watch then; hard failures stay critical.",
)
DETECTORS = ("e-detector", "reward-drop", "cusum", "hazard", "movement")


@click.command()
@CORPUS
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="Share of healthy runs that may ever see a calibrated alarm.",
)
@click.option(
    "--detector",
    "detectors",
    multiple=True,
    type=click.Choice(DETECTORS),
    help="Calibrate this one; may be repeated, and all share alpha. Default: those that raise "
    "alarms as shipped, e-detector and reward-drop.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("calibration.json"),
    show_default=True,
    help="Where the limits are written.",
)
def calibrate(
    corpus: tuple[Path, ...], alpha: float, detectors: tuple[str, ...], out: Path
) -> None:
    """Sets the limits of the alarm tier by your own healthy runs, and says what may be claimed.

    CORPUS is a folder of run folders or of logs that `replay` reads, at any depth. Runs that the
    label rule calls collapsed, or cannot call, are left out and named.

    \b
      collapse-lab calibrate past_runs --alpha 0.1 --out calibration.json
      collapse-lab watch --calibration calibration.json -- python train.py

    Exit code: 0, or 2 when the runs are too few for alpha.
    """
    from collapse_lab.calibration import conformal
    from collapse_lab.corpus import LeftOut, read_corpus

    if not out.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {out.parent}", param_hint="--out")
    chosen = tuple(dict.fromkeys(detectors)) or conformal.CALIBRATED
    courses: list[Course] = []
    left_out: list[LeftOut] = []
    for run in read_corpus(corpus):
        if isinstance(run, LeftOut):
            left_out.append(run)
        elif run.label.kind in conformal.HEALTHY:
            courses.append(conformal.course(run))
        else:
            left_out.append(LeftOut(run.name, f"labelled {run.label.kind}"))
    for one in left_out:
        click.echo(f"left out: {one.name}: {one.reason}", err=True)
    try:
        found = conformal.calibrate(courses, alpha, chosen)
    except conformal.TooFewRuns as error:
        raise click.UsageError(str(error)) from None
    click.echo(_text(found, courses, chosen))
    try:
        found.save(out)
    except OSError as error:
        raise click.BadParameter(str(error), param_hint="--out") from None
    click.echo(f"\nwrote {out}")


def load_limits(path: Path | None) -> Limits | None:
    """The limits of a calibration file, None without one."""
    found = load_calibration(path)
    return found.to_limits() if found else None


def load_calibration(path: Path | None) -> Calibration | None:
    """A calibration file, None without one; a file that is none is an error of usage."""
    from collapse_lab.calibration.saved import load

    if path is None:
        return None
    try:
        return load(path)
    except (OSError, ValueError) as error:
        raise click.BadParameter(str(error), param_hint="--calibration") from None


def _text(found: Calibration, courses: list[Course], detectors: tuple[str, ...]) -> str:
    """What was found, and what it does and does not mean."""
    from collapse_lab.calibration.conformal import left_out_alarms, out_of_reach
    from collapse_lab.detectors.reward_drop import RewardDrop
    from collapse_lab.scoring.markdown import percent, share, table_of

    groups = found.groups
    lengths = sorted(run.records for run in courses)
    span = f"{lengths[0]}" if lengths[0] == lengths[-1] else f"{lengths[0]} to {lengths[-1]}"
    rows = [
        [name, f"{limit:.3g}", percent(found.shares[name], 1)]
        for name, limit in found.limits.items()
    ]
    outside = left_out_alarms(courses, found.alpha, detectors)
    lines = [
        f"{found.runs} healthy runs of {len(groups)} groups, {span} records each; alpha "
        f"{found.alpha:g}",
        "",
        table_of(["detector", "limit (1 is the shipped one)", "share of alpha"], rows),
        "",
    ]
    if (drop := found.limits.get(RewardDrop.name, 0.0)) > 1:
        asked = f"{RewardDrop.name} asks that {percent(drop - 1)} of the gain be surely lost."
        lines += [asked, ""]
    if silent := out_of_reach(found.limits):
        lines += [
            f"Nothing reaches the limit of {' and '.join(silent)}: in too many of these healthy "
            "runs the score is as high as it can get. Give its share of alpha to another detector "
            "(--detector).",
            "",
        ]
    lines += [
        "What may be claimed:",
        f"- a run like these, of up to {found.records} records ({found.long_enough} runs are that "
        f"long), ever sees a calibrated alarm with a chance of at most "
        f"{percent(found.spent, 1)}, if it is healthy",
        f"- these runs were luck too: with 95 % confidence at most {percent(found.at_most)} of "
        "runs like them see one",
        f"- of a group that is not among these {len(groups)}, nothing below "
        f"{percent(found.least_for_a_new_group)} can be claimed, however many runs there are",
    ]
    if outside.of:
        lines.append(
            "- measured: with each group's limits taken from the other groups, "
            f"{share(outside)} of its healthy runs are alarmed on"
        )
    lines.append(
        "Hard failures (not a number, explosion, dead policy) are outside alpha. Other settings, "
        "models or tasks are not runs like these: calibrate again."
    )
    return "\n".join(lines)
