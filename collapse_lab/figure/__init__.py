"""An alarm as one picture: small multiples in SVG, written by hand so that it needs no library.

One panel a signal over the same steps. A panel shows the series, the band that a healthy step
was expected in, how long this signal had been off its course, the interval in which the change as
a whole began, the alarm, earlier notices as thin lines, and a mark wherever the run logged NaN or
infinity. Steps that log nothing leave a gap. What other attempts at the run have logged is faint.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from collapse_lab.figure.palette import paint
from collapse_lab.figure.panel import (
    Box,
    Scale,
    began,
    curves,
    extent,
    label,
    marks,
    panel,
    vertical,
)
from collapse_lab.records import Alarm, Evidence, Record

WIDTH, PANEL, GAP, LEFT, RIGHT, TITLE, LEGEND, BOTTOM = 880, 84, 26, 76, 16, 24, 42, 20
MOST_PANELS = 6
SMALL_WIDTH, SMALL_HEIGHT = 260, 56
LANE, NAMES = 22, 230
ROW = 18


def draw(
    records: Sequence[Record],
    alarm: Alarm | None,
    title: str = "",
    earlier: Sequence[Alarm] = (),
    names: Iterable[str] | None = None,
    others: Sequence[Sequence[Record]] = (),
) -> str:
    """An SVG document of one panel a signal.

    `names` are by default a reward, then the signals that raised the alarm, strongest first; those
    that no record holds are left out. `earlier` are notices that came before this alarm, `others`
    the records of other attempts at these steps. Raises ValueError without records.
    """
    told = (*earlier, alarm) if alarm else earlier
    evidence = {part.signal: part for one in told for part in one.evidence}
    if names is None and alarm:
        first = [] if "reward" in alarm.families else ["reward/mean"]
        names = list(dict.fromkeys((*first, *alarm.signals)))[:MOST_PANELS]
    names = [name for name in names or () if any(name in record.values for record in records)]
    legend = _legend(alarm, earlier, bool(others))
    top = (TITLE if title else 0) + (LEGEND + ROW * (len(legend) - 1) if legend else 10)
    height = top + len(names) * (PANEL + GAP) + BOTTOM
    x = _steps_scale(records, LEFT, WIDTH - RIGHT)
    parts = [_document(WIDTH, height), f'<rect width="{WIDTH}" height="{height}" {paint("page")}/>']
    if title:
        parts.append(
            f'<text x="{LEFT}" y="24" font-size="15" font-weight="600">{escape(title)}</text>'
        )
    for row, items in enumerate(legend):
        parts += _keys(items, top - LEGEND + 4 - ROW * (len(legend) - 1 - row))
    for row, name in enumerate(names):
        box = Box(LEFT, top + row * (PANEL + GAP) + 16, WIDTH - LEFT - RIGHT, PANEL)
        parts += panel(name, records, x, box, alarm, evidence.get(name), earlier, others)
    parts += _steps(x, height - BOTTOM + 6)
    return "\n".join([*parts, "</svg>\n"])


def draw_small(
    name: str,
    records: Sequence[Record],
    alarm: Alarm | None,
    window: tuple[int, int] | None,
    others: Sequence[Sequence[Record]] = (),
) -> str:
    """An SVG element of one signal without words, the steps of `window` shaded."""
    box = Box(0, 0, SMALL_WIDTH, SMALL_HEIGHT)
    x = _steps_scale(itertools.chain(records, *others), 1, SMALL_WIDTH - 1)
    y = vertical(name, itertools.chain(records, *others), box)
    parts = [_document(SMALL_WIDTH, SMALL_HEIGHT, label(name)), box.whole("plot")]
    if window:
        parts.append(box.rect("window", x(window[0]), x(window[1])))
    parts += curves(name, records, x, y, box, others, width=1.2)
    if alarm:
        parts += marks(alarm, x, box)
    return "\n".join([*parts, "</svg>"])


def draw_lanes(evidence: Sequence[Evidence], alarm: Alarm) -> str:
    """An SVG element with one lane a signal, from the step it left its band to the alarm."""
    first = min(part.since for part in evidence)
    steps = max(alarm.step - first, 1)
    x = Scale(first - 0.08 * steps, alarm.step + 0.04 * steps, NAMES, WIDTH - RIGHT)
    height = len(evidence) * LANE + BOTTOM + 4
    box = Box(NAMES, 2, WIDTH - NAMES - RIGHT, len(evidence) * LANE)
    parts = [_document(WIDTH, height, "the order in which signals left their band")]
    parts += [box.whole("plot"), began(alarm, x, box)]
    for row, part in enumerate(evidence):
        middle = 2 + row * LANE + LANE / 2
        start = x(part.since)
        parts.append(
            f'<text x="{NAMES - 8}" y="{middle + 4}" text-anchor="end">{label(part.signal)}</text>'
            f'<rect x="{start}" y="{middle - 5}" width="{max(x(alarm.step) - start, 3):.1f}" '
            f'height="10" rx="2" {paint("line")}/>'
            f'<text x="{start - 5}" y="{middle + 4}" text-anchor="end" {paint("faint")}>'
            f"{part.since}</text>"
        )
    parts.append(box.line(x(alarm.step), "alarm", "2"))
    parts.append(
        f'<text x="{x(alarm.step)}" y="{height - 6}" text-anchor="end" {paint("alarm")}>'
        f"{alarm.severity}, step {alarm.step}</text>"
    )
    return "\n".join([*parts, "</svg>"])


def save(out: Path, svg: str, title: str, text: str) -> None:
    """Writes the picture alone to an .svg file, to any other a page with the text above it."""
    page = svg if out.suffix == ".svg" else PAGE.format(escape(title), escape(text), svg)
    out.write_text(page, encoding="utf-8")


PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{0}</title>
<body style="max-width: 60rem; margin: 2rem auto; font-family: system-ui, sans-serif">
<pre style="white-space: pre-wrap; font-size: .85rem">{1}</pre>
{2}</body></html>
"""


def _document(width: int, height: int, title: str = "") -> str:
    spoken = f' role="img" aria-label="{title}"' if title else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="system-ui, sans-serif" font-size="12"{spoken} {paint("ink")}>'
    )


def _steps_scale(records: Iterable[Record], left: float, right: float) -> Scale:
    steps = [record.step for record in records]
    first, last = min(steps), max(steps)
    return Scale(first, max(last, first + 1), left, right)


def _legend(
    alarm: Alarm | None, earlier: Sequence[Alarm], others: bool
) -> list[list[tuple[str, str, float]]]:
    """What the colours mean, as rows of (role, words, where it begins)."""
    items: list[tuple[str, str]] = []
    if alarm:
        since = "-".join(str(step) for step in dict.fromkeys(alarm.since_interval))
        items = [("band", "expected"), ("course", "off its course")]
        items.append(("since", f"began, step {since}"))
        if alarm.last_healthy_step is not None:
            items.append(("healthy", f"last healthy step, {alarm.last_healthy_step}"))
        if earlier:
            steps = ", ".join(str(notice.step) for notice in earlier[:4])
            steps += ", ..." * (len(earlier) > 4)
            items.append(("notice", f"{earlier[0].severity}, step {steps}"))
        items.append(("alarm", f"{alarm.severity}, step {alarm.step}"))
    if others:
        items.append(("faint", "another attempt"))
    rows: list[list[tuple[str, str, float]]] = []
    left = math.inf
    for role, text in items:
        width = 15 + sum(7.7 if letter.isdigit() else 6.3 for letter in text)
        if left + width > WIDTH:
            rows.append([])
            left = float(LEFT)
        rows[-1].append((role, text, left))
        left = round(left + width + 12, 1)
    return rows


def _keys(items: Sequence[tuple[str, str, float]], top: float) -> list[str]:
    return [
        f'<rect x="{left}" y="{top + 9}" width="10" height="10" {paint(role)}/>'
        f'<text x="{left + 15}" y="{top + 18}">{escape(text)}</text>'
        for role, text, left in items
    ]


def _steps(x: Scale, y: float) -> list[str]:
    """Step numbers under the last panel, at round distances."""
    span = x.high - x.low
    distance = next(
        step for power in range(40) for base in (1, 2, 5) if span / (step := base * 10**power) <= 10
    )
    start = math.ceil(x.low / distance) * distance
    return [
        f'<text x="{LEFT - 6}" y="{y}" text-anchor="end" {paint("faint")}>step</text>',
        *(
            f'<text x="{x(tick)}" y="{y}" text-anchor="middle" {paint("faint")}>{tick}</text>'
            for tick in range(int(start), int(x.high) + 1, distance)
        ),
    ]


__all__ = ["MOST_PANELS", "draw", "draw_lanes", "draw_small", "extent", "label", "save"]
