"""The failures of the alarm tier, each drawn: missed collapses, and alarms on healthy runs.

A cell shows the reward that the label was made on, with the onset, the crossing and the first
alarm, and below it how much of its shipped limit each detector of the alarm tier had reached.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from benchmarks.detection_tables import Judged
from benchmarks.legend import legend
from collapse_lab.calibration import conformal
from collapse_lab.corpus import CorpusRun
from collapse_lab.figure.palette import paint
from collapse_lab.figure.panel import Box, Scale, curves, vertical
from collapse_lab.labels import REWARDS, label_run
from collapse_lab.records import Record
from collapse_lab.scorecard import ALARM, HEALTHY, LATE, rules, scored
from collapse_lab.scoring import late_recall

MOST = 60
"""Cells of one drawing."""
WIDTH, COLUMNS, LEFT, GAP, HEAD = 880, 5, 12, 12, 58
REWARD, SCORES, CAPTION, SPACE = 54, 26, 42, 14
CELL = (WIDTH - 2 * LEFT - (COLUMNS - 1) * GAP) / COLUMNS
HEIGHT = CAPTION + REWARD + 2 + SCORES + SPACE
SUCCESS = "reward/accuracy"
"""Under TRL, what a run with a proxy for a reward is labelled by."""
HIGHEST = 1.5
"""Of a limit: scores beyond it are drawn there."""
DETECTORS = dict(zip(conformal.CALIBRATED, ("line", "notice", "healthy"), strict=False))
STROKES = (
    ("notice", "4 2", "onset"),
    ("ink", "1 2", "half of the gain lost"),
    ("alarm", "none", "first alarm"),
    *((role, "none", f"{name}, of its limit") for name, role in DETECTORS.items()),
)


@dataclass(frozen=True, slots=True)
class Gallery:
    """One drawing, with how many failures there are and how many of them it shows."""

    file: str
    title: str
    svg: str
    shown: int
    of: int


def galleries(judged: Sequence[Judged]) -> list[Gallery]:
    """The missed collapses, and the healthy runs that were alarmed on."""
    missed = sorted((one for one in judged if is_missed(one)), key=_kin)
    false = sorted((one for one in judged if is_false_alarm(one)), key=_kin)
    return [
        _gallery("missed-collapses.svg", "Collapses missed by the alarm tier", missed),
        _gallery("false-alarms.svg", "Healthy runs that the alarm tier alarmed on", false),
    ]


def is_missed(one: Judged) -> bool:
    """No first alarm within the horizon or up to ten records after the onset."""
    run = one.found
    return run.onset is not None and not late_recall([scored(run, rules()[ALARM])], LATE).hits


def is_false_alarm(one: Judged) -> bool:
    """Alarmed on, and healthy, dips included."""
    return one.found.kind in HEALTHY and bool(one.found.alarms(ALARM))


def text(drawings: Iterable[Gallery]) -> str:
    """The drawings as they stand in the page."""
    return "\n\n".join(
        f"{drawing.title}: {drawing.of}"
        + (f", of which {drawing.shown} are drawn" if drawing.shown < drawing.of else "")
        + f".\n\n![{drawing.title}](images/{drawing.file})"
        for drawing in drawings
    )


def spread(failures: Sequence[Judged], most: int = MOST) -> list[Judged]:
    """At most so many, evenly over kin, in order."""
    if len(failures) <= most:
        return list(failures)
    return [failures[place * len(failures) // most] for place in range(most)]


def _gallery(file: str, title: str, failures: Sequence[Judged]) -> Gallery:
    shown = spread(failures)
    height = HEAD + max(1, math.ceil(len(shown) / COLUMNS)) * HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="system-ui, sans-serif" font-size="10" {paint("ink")}>',
        f'<rect width="{WIDTH}" height="{height}" {paint("page")}/>',
        f'<text x="{LEFT}" y="20" font-size="15" font-weight="600">{escape(title)}: '
        f"{len(shown)} of {len(failures)}</text>",
        *legend(STROKES, LEFT, 40),
    ]
    for place, one in enumerate(shown):
        row, column = divmod(place, COLUMNS)
        parts += _cell(one, LEFT + column * (CELL + GAP), HEAD + row * HEIGHT)
    return Gallery(file, title, "\n".join([*parts, "</svg>\n"]), len(shown), len(failures))


def _kin(one: Judged) -> tuple[str, ...]:
    return one.found.facts["failure"], one.found.kind, one.found.group, one.found.name


def _cell(one: Judged, left: float, top: float) -> list[str]:
    run, records = one.found, one.run.records
    reward = labelled_by(one.run)
    box = Box(left, top + CAPTION, CELL, REWARD)
    below = Box(left, box.bottom + 2, CELL, SCORES)
    x = Scale(records[0].step, records[-1].step, left, left + CELL)
    parts = [
        f'<text x="{left}" y="{top + 10}" font-weight="600">{escape(_short(run.name))}</text>',
        *(
            f'<text x="{left}" y="{top + 22 + 12 * line}" {paint("faint")}>{escape(words)}</text>'
            for line, words in enumerate(caption(one))
        ),
        box.whole("plot"),
        below.whole("plot"),
        *curves(reward, records, x, vertical(reward, records, box), box, (), 1.2),
        *_scores(one, x, below),
    ]
    whole = Box(left, box.top, CELL, below.bottom - box.top)
    if run.onset is not None:
        parts.append(whole.line(x(run.steps[run.onset]), "notice", "1.5", dash="4 2"))
    if run.cross is not None:
        parts.append(whole.line(x(run.steps[run.cross]), "ink", "1", dash="1 2"))
    for alarm in run.alarms(ALARM)[:1]:
        parts.append(whole.line(x(run.steps[alarm]), "alarm", "2"))
    return parts


def labelled_by(run: CorpusRun) -> str:
    """The series that gives the run its label: the reward, or the success that it hides."""
    there = [
        name for name in (*REWARDS, SUCCESS) if any(name in record.values for record in run.records)
    ]
    for name in there:
        series = [
            Record(record.step, values={"reward/mean": record.values[name]})
            for record in run.records
            if name in record.values
        ]
        if label_run(series) == run.label:
            return name
    return there[0]


def caption(one: Judged) -> tuple[str, str]:
    """What was set up or became of it, and what the first alarm was."""
    run = one.found
    first = next((part for part in run.raised if part[1] in ("alarm", "critical")), None)
    what = run.kind if run.facts["failure"] == run.kind else run.facts["failure"]
    what = what.replace("_", " ")
    if first is None:
        return what, "never alarmed on"
    point, _, detector = first
    if run.onset is None:
        return what, detector
    late = point - run.onset
    return what, f"{detector} {late} late" if late > 0 else f"{detector} {-late} before"


def _scores(one: Judged, x: Scale, box: Box) -> list[str]:
    """Each detector's share of its limit, a line at the limit."""
    y = Scale(0, HIGHEST, box.bottom - 1, box.top + 1)
    limit = y(1)
    parts = [
        f'<line x1="{box.left}" x2="{box.left + box.width:.1f}" y1="{limit}" y2="{limit}" '
        f'{paint("faint", "stroke")} stroke-width="0.5"/>'
    ]
    for detector, role in DETECTORS.items():
        trace = one.found.traces[detector].tolist()
        places = [(x(step), y(score)) for step, score in zip(one.found.steps, trace, strict=True)]
        bends = [
            place
            for i, place in enumerate(places)
            if not 0 < i < len(places) - 1 or not places[i - 1][1] == place[1] == places[i + 1][1]
        ]
        path = "M" + "L".join(f"{across} {up}" for across, up in bends)
        parts.append(f'<path d="{path}" fill="none" {paint(role, "stroke")} stroke-width="1"/>')
    return parts


def _short(name: str) -> str:
    """What a cell has room for: the end of a path, where its seed is."""
    return name if len(name) <= 26 else f"...{name[-24:]}"
