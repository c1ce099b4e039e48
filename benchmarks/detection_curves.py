"""Lead-recall curves as one SVG: how often so much warning came, by tier and by failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from benchmarks.detection_tables import ALPHA, LEARNED, Judged, stated
from benchmarks.legend import legend
from collapse_lab.calibration import conformal
from collapse_lab.figure.palette import paint
from collapse_lab.figure.panel import Box, Scale
from collapse_lab.scorecard import (
    ALARM,
    JudgedRun,
    counts,
    left_out,
    rules,
    scored,
)
from collapse_lab.scoring import ScoredRun, chance, lead_recall, usual_horizon
from collapse_lab.scoring.markdown import percent

FILE = "lead-recall.svg"
LEADS = range(50, -51, -2)
DEALS = 200
FEWEST = 3
"""Collapses below which a failure has no panel of its own."""
WIDTH, COLUMNS, PANEL, LEFT, RIGHT, GAP, HEAD, ROW, FOOT = 880, 3, 120, 46, 16, 24, 64, 44, 18
PANEL_WIDTH = (WIDTH - LEFT - RIGHT - (COLUMNS - 1) * GAP) / COLUMNS
TIERS = {
    "watch or above": ("notice", "none"),
    ALARM: ("alarm", "none"),
    f"{ALARM}, reward aside": ("line", "none"),
    f"{ALARM}, dealt at random": ("faint", "2 3"),
}
DETECTORS = tuple(name for name in conformal.NAMES if name not in LEARNED)
ALONE = (("line", "none"), ("alarm", "none"), ("notice", "none"), ("healthy", "none"))

Curve = Mapping[float, float]


def draw(judged: Sequence[Judged]) -> str:
    """An SVG document: all collapses by tier and by detector, then each kind of failure by tier."""
    runs = [one.found for one in judged if counts(one.found)]
    panels = [
        ("all collapses", by_tier(runs), TIERS),
        (f"each detector alone, alpha {percent(ALPHA)}", alone(runs), _styles(DETECTORS)),
    ]
    kinds = sorted({stated(run, "failure") for run in runs if run.onset is not None})
    for kind in kinds:
        some = [run for run in runs if run.onset is None or stated(run, "failure") == kind]
        if sum(run.onset is not None for run in some) >= FEWEST and len(kinds) > 1:
            panels.append((kind, by_tier(some), TIERS))
    height = HEAD + -(-len(panels) // COLUMNS) * (PANEL + ROW) + FOOT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="system-ui, sans-serif" font-size="11" {paint("ink")}>',
        f'<rect width="{WIDTH}" height="{height}" {paint("page")}/>',
        f'<text x="{LEFT}" y="20" font-size="15" font-weight="600">Share of collapses whose first '
        "alarm came so many records before the onset</text>",
        *_row("tiers", TIERS, 38),
        *_row("alone", _styles(DETECTORS), 54),
    ]
    for place, (title, curves, styles) in enumerate(panels):
        row, column = divmod(place, COLUMNS)
        box = Box(
            LEFT + column * (PANEL_WIDTH + GAP), HEAD + row * (PANEL + ROW) + 22, PANEL_WIDTH, PANEL
        )
        parts += _panel(box, title, curves, styles, numbers=column == 0)
    return "\n".join([*parts, "</svg>\n"])


def by_tier(runs: Sequence[JudgedRun]) -> dict[str, Curve]:
    """Row -> lead -> share, and what the same alarms would show in runs at random."""
    curves = {
        name: _curve([scored(run, rule) for run in runs])
        for name, rule in rules().items()
        if name in TIERS
    }
    alarms = [scored(run, rules()[ALARM]) for run in runs]
    dealt = [_curve(blind) for blind in chance.dealt(alarms, DEALS)]
    mean: Curve = {lead: sum(curve[lead] for curve in dealt) / DEALS for lead in LEADS}
    return {**curves, f"{ALARM}, dealt at random": mean}


def alone(runs: Sequence[JudgedRun]) -> dict[str, Curve]:
    """Detector -> lead -> share, each with limits of the other algorithms."""
    curves: dict[str, Curve] = {}
    for name in DETECTORS:
        splits = left_out(runs, "algorithm", ALPHA, (name,))
        judged = [run for split in splits for run in split.runs]
        curves[name] = _curve(
            [scored(run, lambda run, name=name: run.raised_by(name)) for run in judged]
        )
    return curves


def _curve(runs: Sequence[ScoredRun]) -> Curve:
    found = lead_recall(runs, LEADS, usual_horizon)
    return {lead: part.value for lead, part in found.items()}


def _styles(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    return {name: ALONE[place % len(ALONE)] for place, name in enumerate(names)}


def _panel(
    box: Box,
    title: str,
    curves: Mapping[str, Curve],
    styles: Mapping[str, tuple[str, str]],
    numbers: bool,
) -> list[str]:
    x = Scale(-LEADS[0], -LEADS[-1], box.left, box.left + box.width)
    y = Scale(0, 1, box.bottom, box.top)
    parts = [
        box.whole("plot"),
        f'<text x="{box.left}" y="{box.top - 5}" font-weight="600">{escape(title)}</text>',
        box.line(x(0), "faint", "1", dash="3 3"),
    ]
    for name, curve in curves.items():
        role, dash = styles[name]
        points = [(lead, share) for lead, share in curve.items() if share == share]
        path = " ".join(
            f"{'L' if place else 'M'}{x(-lead)} {y(share)}"
            for place, (lead, share) in enumerate(points)
        )
        parts.append(
            f'<path d="{path}" fill="none" {paint(role, "stroke")} stroke-width="1.8" '
            f'stroke-dasharray="{dash}"/>'
        )
    for tick in (50, 25, 0, -25, -50):
        parts.append(
            f'<text x="{x(-tick)}" y="{box.bottom + 13}" text-anchor="middle" {paint("faint")}>'
            f"{tick}</text>"
        )
    if numbers:
        parts += [
            f'<text x="{box.left - 6}" y="{y(share) + 4}" text-anchor="end" {paint("faint")}>'
            f"{percent(share)}</text>"
            for share in (0, 0.5, 1)
        ]
    return parts


def _row(of: str, styles: Mapping[str, tuple[str, str]], top: float) -> list[str]:
    """A legend after the name of what it is of."""
    strokes = ((role, dashes, name) for name, (role, dashes) in styles.items())
    head = f'<text x="{LEFT}" y="{top}" {paint("faint")}>{of}</text>'
    return [head, *legend(strokes, LEFT + 38, top)]
