"""`collapse-lab score`."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from collapse_lab.cli.calibrating import CALIBRATION, CORPUS, load_calibration

if TYPE_CHECKING:
    from collapse_lab.scorecard import JudgedRun, Rule, Scores

GROUPINGS = ("framework", "task", "algorithm", "failure")
CALIBRATED = ", calibrated"


@click.command()
@CORPUS
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--group-by",
    type=click.Choice(GROUPINGS),
    help="Also score the runs of each framework, task, algorithm or kind of failure apart.",
)
@CALIBRATION
def score(
    corpus: tuple[Path, ...], as_json: bool, group_by: str | None, calibration: Path | None
) -> None:
    """Scores the detectors over a corpus of finished runs: false alarms, recall, lead, chance.

    CORPUS is a folder of run folders or of logs that `replay` reads, at any depth. What became of
    a run is what its run.json says under `label` (as `label --json` prints it), else what the
    label rule of `collapse-lab label` says. Every run is judged as if it were live.

    Exit code: 0, or 2 when there is no run to score.
    """
    from collapse_lab import scorecard
    from collapse_lab.corpus import LeftOut, read_corpus

    found = load_calibration(calibration)
    limits = found.to_limits() if found else None
    shipped: list[JudgedRun] = []
    calibrated: list[JudgedRun] = []
    left_out: list[LeftOut] = []
    for run in read_corpus(corpus):
        if isinstance(run, LeftOut):
            left_out.append(run)
            continue
        shipped.append(scorecard.judge(run))
        if limits:
            calibrated.append(scorecard.judge(run, limits))
    if not shipped:
        raise click.UsageError("there is no finished run in the corpus")
    used = {run.name for run in calibrated} & set(found.names if found else ())
    rows = _rows(shipped, calibrated)
    kinds = Counter(run.kind for run in shipped)
    parts = _parts(shipped, calibrated, group_by) if group_by else {}
    paired = _paired(shipped, calibrated) if calibrated else {}
    if as_json:
        click.echo(
            json.dumps(
                {
                    "runs": len(shipped),
                    "groups": len({run.group for run in shipped}),
                    "kinds": dict(kinds),
                    "detectors": {name: one.to_dict() for name, one in rows.items()},
                    "by": {
                        value: {name: one.to_dict() for name, one in part.items()}
                        for value, part in parts.items()
                    },
                    "calibrated_minus_shipped": paired,
                    "used_for_calibration": sorted(used),
                    "left_out": {one.name: one.reason for one in left_out},
                }
            )
        )
        return
    named = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    groups = len({run.group for run in shipped})
    click.echo(f"{len(shipped)} runs of {groups} groups: {named}.\n")
    click.echo(_table(rows) + "\n\n" + _leads(rows))
    for value, part in parts.items():
        click.echo(f"\n### {group_by}: {value}\n\n" + _table(part))
    for name, (low, high) in paired.items():
        click.echo(
            f"\nCalibrated minus shipped, {name.replace('_', ' ')}: {low:+.2f} to {high:+.2f} "
            "(paired bootstrap over groups, 95 %)"
        )
    if used:
        click.echo(
            f"\n{len(used)} of these runs set the limits of the calibration: their silence is no "
            "evidence for it."
        )
    for one in left_out:
        click.echo(f"left out: {one.name}: {one.reason}", err=True)


def _rows(
    shipped: list[JudgedRun], calibrated: list[JudgedRun], references: bool = True
) -> dict[str, Scores]:
    from collapse_lab import scorecard

    rows = {name: scorecard.scores(shipped, rule) for name, rule in scorecard.rules().items()}
    if calibrated:
        rows |= {
            name: scorecard.scores(calibrated, rule)
            for name, rule in scorecard.rules(CALIBRATED).items()
            if not name.startswith("critical")  # hard failures have no limit to calibrate
        }
    if references:
        rows |= {
            name: scorecard.scores(shipped, rule, deals=1)
            for name, rule in scorecard.references().items()
        }
    return rows


def _parts(
    shipped: list[JudgedRun], calibrated: list[JudgedRun], group_by: str
) -> dict[str, dict[str, Scores]]:
    """The scores of the runs that share a fact, healthy runs beside every kind of failure."""
    from collapse_lab.scorecard import HEALTHY

    def of(runs: list[JudgedRun], value: str) -> list[JudgedRun]:
        return [
            run
            for run in runs
            if run.facts[group_by] == value or (group_by == "failure" and run.kind in HEALTHY)
        ]

    values = dict.fromkeys(
        run.facts[group_by] for run in shipped if group_by != "failure" or run.onset is not None
    )
    return {
        value: _rows(of(shipped, value), of(calibrated, value), references=False)
        for value in sorted(values)
    }


def _paired(
    shipped: list[JudgedRun], calibrated: list[JudgedRun]
) -> dict[str, tuple[float, float]]:
    from collapse_lab import scorecard

    def alarms(runs: list[JudgedRun]) -> list[Any]:
        rule: Rule = scorecard.rules()[scorecard.ALARM]
        return [scorecard.scored(run, rule) for run in runs if scorecard.counts(run)]

    groups = [run.group for run in shipped if scorecard.counts(run)]
    return scorecard.difference(alarms(calibrated), alarms(shipped), groups)


def _table(rows: dict[str, Scores]) -> str:
    from collapse_lab.scoring.markdown import percent, plain, share, table_of

    header = [
        "detector",
        "healthy alarmed",
        "over groups",
        "truly below (95 %)",
        "early",
        "by chance",
        "p",
        "by onset + 10",
        "by half lost",
        "premature",
        "alarms / 1,000",
    ]
    lines: list[list[str]] = []
    for name, one in rows.items():
        low, high = one.intervals["healthy_alarmed"]
        lines.append(
            [
                name,
                share(one.healthy_alarmed),
                f"{percent(low)} to {percent(high)}" if low == low else "-",
                percent(one.healthy_alarmed.upper()),
                share(one.early),
                percent(one.chance[0]),
                plain(one.chance[1], 3),
                share(one.late),
                share(one.by_crossing),
                share(one.premature),
                plain(one.alarms_per_thousand),
            ]
        )
    return table_of(header, lines)


def _leads(rows: dict[str, Scores]) -> str:
    """Leads in records before the onset; the curve says how often so much warning came."""
    from collapse_lab.scoring import LEADS
    from collapse_lab.scoring.markdown import percent, plain, table_of

    header = [
        "detector",
        "median lead [quartiles]",
        "mean, misses 0",
        *(f"{lead:+d}" for lead in LEADS),
        "compute saved",
        "lost",
        "precision at 10 %",
        "at 30 %",
    ]
    lines: list[list[str]] = []
    for name, one in rows.items():
        low, middle, high = (plain(part) for part in one.lead)
        lines.append(
            [
                name,
                "-" if middle == "-" else f"{middle} [{low}, {high}]",
                plain(one.expected_lead),
                *(percent(one.lead_recall[lead].value) for lead in LEADS),
                percent(one.saved),
                percent(one.lost),
                *(percent(one.precision(prevalence)) for prevalence in (0.1, 0.3)),
            ]
        )
    return (
        "Leads are records from the first alarm to the onset; +20 is the share of collapses that "
        "were alarmed on at least 20 records before it, -10 by ten after.\n\n"
    ) + table_of(header, lines)
