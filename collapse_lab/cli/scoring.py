"""`collapse-lab score`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from collapse_lab.cli.calibrating import CALIBRATION, CORPUS, load_calibration

if TYPE_CHECKING:
    from collapse_lab.scorecard import Compared, Interval, JudgedRun, Rule, Scores

Score = TypeVar("Score")
FACTS = ("framework", "task", "algorithm", "failure", "setting")
LATER = "later"


@click.command()
@CORPUS
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--group-by",
    type=click.Choice(FACTS),
    help="Also score the runs of each value of this fact apart.",
)
@click.option(
    "--leave-out",
    type=click.Choice((*FACTS, LATER)),
    help="Also score with limits that are calibrated without each value of this fact in turn, on "
    "the runs left out; `later`: on the runs made before, for each quarter of the runs in time.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="The alpha of those limits.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Processes that judge runs.",
)
@CALIBRATION
def score(
    corpus: tuple[Path, ...],
    as_json: bool,
    group_by: str | None,
    leave_out: str | None,
    alpha: float,
    jobs: int,
    calibration: Path | None,
) -> None:
    """Scores the detectors over a corpus of finished runs: false alarms, recall, lead, chance.

    CORPUS is a folder of run folders or of logs that `replay` reads, at any depth. What became of
    a run is what its run.json says under `label` (as `label --json` prints it), else what the
    label rule of `collapse-lab label` says. Every run is judged as if it were live.

    Facts are what run.json says: the framework, task and algorithm under `config`, the `failure`
    that was set up (else the label), and by which `setting`.

    Exit code: 0, or 2 when there is no run to score.
    """
    from collapse_lab import scorecard
    from collapse_lab.corpus import CorpusRun, LeftOut, read_corpus
    from collapse_lab.scorecard import compared_tables, foretold_tables, tables
    from collapse_lab.scorecard.detector_scores import number

    found = load_calibration(calibration)
    apart: list[LeftOut] = []

    def runs():
        for run in read_corpus(corpus):
            if isinstance(run, CorpusRun):
                yield run
            else:
                apart.append(run)

    judged = list(scorecard.judge_all(runs(), found.to_limits() if found else None, jobs))
    if not judged:
        raise click.UsageError("there is no finished run in the corpus")
    shipped = [first for first, _ in judged]
    calibrated = [second for _, second in judged if second]
    used = {run.name for run in calibrated} & set(found.names if found else ())
    kinds = dict(Counter(run.kind for run in shipped).most_common())
    groups = len({run.group for run in shipped})
    rows = _rows(shipped, calibrated) | _references(shipped)
    parts = _parts(shipped, calibrated, group_by) if group_by else {}
    late = scorecard.late_minus_now(shipped, scorecard.rules()[scorecard.ALARM])
    paired = _paired(shipped, calibrated) if calibrated else {}
    ranked = scorecard.rank(shipped)
    foretold = scorecard.foretell(shipped)
    compared = _compared(shipped, calibrated)
    volumes = scorecard.volumes(shipped)
    held = scorecard.held_out(shipped, leave_out, alpha) if leave_out else None
    if as_json:
        click.echo(
            json.dumps(
                {
                    "runs": len(shipped),
                    "groups": groups,
                    "kinds": kinds,
                    "detectors": {name: one.to_dict() for name, one in rows.items()},
                    "by": {
                        value: {name: one.to_dict() for name, one in part.items()}
                        for value, part in parts.items()
                    },
                    "ranking": [one.to_dict() for one in ranked],
                    "chances": [one.to_dict() for one in foretold],
                    "comparison": {
                        "detectors": {name: one.to_dict() for name, one in compared.items()},
                        "vus_pr": {name: number(one) for name, one in volumes.items()},
                    },
                    "leave_out": held.to_dict() if held else None,
                    "calibrated_minus_shipped": _ends(paired),
                    "alarms_10_late_minus_now": _ends(late),
                    "used_for_calibration": sorted(used),
                    "left_out": {one.name: one.reason for one in apart},
                }
            )
        )
        return
    sections = [
        tables.kinds(kinds, groups),
        f"{tables.CHANCE_IS}\n\n{tables.operating_points(rows)}",
        f"{tables.LEADS_ARE}\n\n{tables.leads(rows)}",
        f"{tables.WORTH_IS}\n\n{tables.worth(rows)}",
        f"{tables.RANKS_ARE}\n\n{tables.ranks(ranked)}",
        f"{foretold_tables.CHANCES_ARE}\n\n{foretold_tables.foretold(foretold)}",
        f"{compared_tables.COMPARED_ARE}\n\n{compared_tables.compared(compared, volumes)}",
    ]
    sections += [
        f"### {group_by}: {value}\n\n{tables.operating_points(part)}"
        for value, part in parts.items()
    ]
    if held:
        sections.append(f"### {tables.held_out_title(held)}\n\n{tables.held_out(held)}")
    sections.append(
        "Paired bootstrap over groups, 95 %:\n"
        + tables.difference("Ten records late minus now", late)
        + ("\n" + tables.difference("Calibrated minus shipped", paired) if paired else "")
    )
    if used:
        sections.append(
            f"{len(used)} of these runs have the names of runs that set the limits of the "
            "calibration: where they are those, their silence is no evidence for it."
        )
    click.echo("\n\n".join(sections))
    for one in apart:
        click.echo(f"left out: {one.name}: {one.reason}", err=True)


def _ends(intervals: Mapping[str, Interval]) -> dict[str, list[float | None]]:
    """JSON-ready; what is undefined is null."""
    from collapse_lab.scorecard.detector_scores import number

    return {name: list(map(number, ends)) for name, ends in intervals.items()}


def _rows(shipped: list[JudgedRun], calibrated: list[JudgedRun]) -> dict[str, Scores]:
    from collapse_lab import scorecard

    return _each(shipped, calibrated, scorecard.scores)


def _each(
    shipped: list[JudgedRun],
    calibrated: list[JudgedRun],
    score: Callable[[list[JudgedRun], Rule], Score],
) -> dict[str, Score]:
    """Every tier's score, and with calibrated limits where there are any."""
    from collapse_lab import scorecard

    rows = {name: score(shipped, rule) for name, rule in scorecard.rules().items()}
    if calibrated:
        rows |= {
            name: score(calibrated, rule)
            for name, rule in scorecard.rules(scorecard.CALIBRATED_ROW).items()
            if not name.startswith("critical")  # hard failures have no limit to calibrate
        }
    return rows


def _references(shipped: list[JudgedRun]) -> dict[str, Scores]:
    from collapse_lab import scorecard

    return {
        name: scorecard.scores(shipped, rule, deals=1)
        for name, rule in scorecard.references().items()
    }


def _compared(shipped: list[JudgedRun], calibrated: list[JudgedRun]) -> dict[str, Compared]:
    from collapse_lab import scorecard

    blind = scorecard.references()
    return _each(shipped, calibrated, scorecard.compare) | {
        name: scorecard.compare(shipped, rule) for name, rule in blind.items()
    }


def _parts(
    shipped: list[JudgedRun], calibrated: list[JudgedRun], group_by: str
) -> dict[str, dict[str, Scores]]:
    """The scores of the runs that share a fact, healthy runs beside every kind of failure."""
    from collapse_lab.scorecard import by_fact

    of = dict(by_fact(calibrated, group_by))
    return {
        value: _rows(some, list(of.get(value, ()))) for value, some in by_fact(shipped, group_by)
    }


def _paired(shipped: list[JudgedRun], calibrated: list[JudgedRun]) -> dict[str, Interval]:
    from collapse_lab import scorecard

    rule = scorecard.rules()[scorecard.ALARM]
    first, second = (
        [scorecard.scored(run, rule) for run in runs if scorecard.counts(run)]
        for runs in (calibrated, shipped)
    )
    groups = [run.group for run in shipped if scorecard.counts(run)]
    return scorecard.difference(first, second, groups)
