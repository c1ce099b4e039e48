"""An alarm as one picture: small multiples in SVG, written by hand so that it needs no library.

One panel a signal over the same steps. A panel shows the series, the band that a healthy step
was expected in, how long this signal had been off its course, the interval in which the change as
a whole began, the alarm, earlier notices as thin lines, and a mark wherever the run logged NaN or
infinity. Steps that log nothing leave a gap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path

from collapse_lab.records import Alarm, Evidence, Record
from collapse_lab.signals import SIGNALS

WIDTH, PANEL, GAP, LEFT, RIGHT, TOP, BOTTOM = 880, 84, 26, 76, 16, 66, 20
INK, FAINT, LINE, BAND, SINCE, ALARM, HEALTHY = (
    "#1f2933", "#6b7280", "#1d4ed8", "#dbe4f0", "#fcd34d", "#c81e1e", "#15803d",
)  # fmt: skip
OFF_COURSE, NOTICE = "#fef3c7", "#d97706"


def draw(
    records: Sequence[Record],
    alarm: Alarm,
    title: str,
    earlier: Sequence[Alarm] = (),
    panels: int = 6,
) -> str:
    """An SVG document: a reward, then the signals that raised the alarm, strongest first.

    `earlier` are notices that came before this alarm. Raises ValueError without records.
    """
    evidence = {part.signal: part for part in alarm.evidence}
    first_panel = [] if "reward" in alarm.families else ["reward/mean"]
    names = [
        name
        for name in dict.fromkeys((*first_panel, *evidence))
        if any(name in record.values for record in records)
    ][:panels]
    first, last = min(r.step for r in records), max(r.step for r in records)
    height = TOP + len(names) * (PANEL + GAP) + BOTTOM
    scale = _Scale(first, max(last, first + 1), LEFT, WIDTH - RIGHT)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="{INK}">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="24" font-size="15" font-weight="600">{escape(title)}</text>',
        _legend(alarm, earlier),
    ]
    for row, name in enumerate(names):
        top = TOP + row * (PANEL + GAP) + 16
        parts += _panel(name, records, evidence.get(name), alarm, earlier, scale, top)
    parts += _steps(scale, height - BOTTOM + 6)
    return "\n".join([*parts, "</svg>\n"])


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


class _Scale:
    """Numbers between `low` and `high` -> pixels between `start` and `end`."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high, self.start, self.end = low, high, start, end

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)


def _panel(
    name: str,
    records: Sequence[Record],
    expected: Evidence | None,
    alarm: Alarm,
    earlier: Sequence[Alarm],
    x: _Scale,
    top: float,
) -> list[str]:
    series = [(record.step, record.values[name]) for record in records if name in record.values]
    bounds = [expected.low, expected.high] if expected else []
    shown = [value for value in [*(v for _, v in series), *bounds] if math.isfinite(value)]
    signal = SIGNALS.get(name)
    # a log axis needs positive numbers; the signal's own transform says where it reads better
    log = signal is not None and signal.transform == "log" and min(shown, default=0) > 0
    y, ticks = _vertical(shown or [0.0], log, top)
    bottom = top + PANEL
    low, high = (x(step) for step in alarm.since_interval)
    parts = [
        f'<rect x="{LEFT}" y="{top}" width="{WIDTH - LEFT - RIGHT}" height="{PANEL}" '
        'fill="#f8fafc"/>',
        f'<text x="{LEFT}" y="{top - 5}"><tspan font-weight="600">{escape(name)}</tspan> '
        f'<tspan fill="{FAINT}">{escape(signal.meaning if signal else "")}</tspan></text>',
    ]
    if expected:
        parts.append(_span(x(expected.since), x(alarm.step), top, OFF_COURSE))
        upper, lower = _place(y, expected.high, log), _place(y, expected.low, log)
        parts.append(
            f'<rect x="{LEFT}" y="{upper}" width="{WIDTH - LEFT - RIGHT}" '
            f'height="{max(lower - upper, 1):.1f}" fill="{BAND}"/>'
        )
    parts.append(_span(low, high, top, SINCE))
    parts += [
        f'<text x="{LEFT - 6}" y="{_place(y, tick, log) + 4}" text-anchor="end" '
        f'fill="{FAINT}">{tick:.3g}</text>'
        for tick in ticks
    ]
    parts.append(
        f'<path d="{_path(records, name, x, y, log)}" fill="none" stroke="{LINE}" '
        'stroke-width="1.5" stroke-linejoin="round"/>'
    )
    parts += [
        f'<text x="{x(step)}" y="{bottom - 3}" text-anchor="middle" font-weight="700" '
        f'fill="{ALARM}">&#215;<title>step {step}: {value}</title></text>'
        for step, value in series
        if not math.isfinite(value)
    ]
    parts += [_line(x(notice.step), top, NOTICE, "1") for notice in earlier]
    parts.append(_line(x(alarm.step), top, ALARM, "2"))
    if alarm.last_healthy_step is not None:
        parts.append(_line(x(alarm.last_healthy_step), top, HEALTHY, "1.5", dash="3 3"))
    return parts


def _vertical(shown: list[float], log: bool, top: float) -> tuple[_Scale, tuple[float, float]]:
    low, high = min(shown), max(shown)
    ends = (math.log10(low), math.log10(high)) if log else (low, high)
    if ends[0] == ends[1]:
        ends = (ends[0] - 0.5, ends[1] + 0.5)
    return _Scale(*ends, top + PANEL - 6, top + 6), (low, high)


def _place(y: _Scale, value: float, log: bool) -> float:
    """The pixel row of a value; one beyond the axis, or not finite, sits at its edge."""
    if log:
        value = math.log10(value) if value > 0 else -math.inf
    return y(min(max(value, y.low), y.high))


def _path(records: Sequence[Record], name: str, x: _Scale, y: _Scale, log: bool) -> str:
    """The series as path commands; the pen lifts where a step has no finite value."""
    commands: list[str] = []
    down = False
    for record in records:
        value = record.values.get(name, math.nan)
        if math.isfinite(value):
            commands.append(f"{'L' if down else 'M'}{x(record.step)} {_place(y, value, log)}")
        down = math.isfinite(value)
    return " ".join(commands)


def _line(x: float, top: float, colour: str, width: str, dash: str = "none") -> str:
    return (
        f'<line x1="{x}" x2="{x}" y1="{top}" y2="{top + PANEL}" stroke="{colour}" '
        f'stroke-width="{width}" stroke-dasharray="{dash}"/>'
    )


def _span(low: float, high: float, top: float, colour: str) -> str:
    """Steps shaded over the whole panel; a single step is still seen."""
    return (
        f'<rect x="{low}" y="{top}" width="{max(high - low, 2):.1f}" height="{PANEL}" '
        f'fill="{colour}" opacity="0.8"/>'
    )


def _legend(alarm: Alarm, earlier: Sequence[Alarm]) -> str:
    since = "-".join(str(step) for step in dict.fromkeys(alarm.since_interval))
    items = [(BAND, "expected"), (OFF_COURSE, "off its course"), (SINCE, f"began, step {since}")]
    if alarm.last_healthy_step is not None:
        items.append((HEALTHY, f"last healthy step, {alarm.last_healthy_step}"))
    if earlier:
        steps = ", ".join(str(notice.step) for notice in earlier)
        items.append((NOTICE, f"{earlier[0].severity}, step {steps}"))
    items.append((ALARM, f"{alarm.severity}, step {alarm.step}"))
    parts: list[str] = []
    left = float(LEFT)
    for colour, text in items:
        parts.append(
            f'<rect x="{left}" y="37" width="10" height="10" fill="{colour}"/>'
            f'<text x="{left + 15}" y="46">{escape(text)}</text>'
        )
        left = round(left + 34 + 6.3 * len(text), 1)
    return "\n".join(parts)


def _steps(x: _Scale, y: float) -> list[str]:
    """Step numbers under the last panel, at round distances."""
    span = x.high - x.low
    distance = next(
        step for power in range(12) for base in (1, 2, 5) if span / (step := base * 10**power) <= 10
    )
    start = math.ceil(x.low / distance) * distance
    ticks = range(int(start), int(x.high) + 1, distance)
    return [
        f'<text x="{LEFT - 6}" y="{y}" text-anchor="end" fill="{FAINT}">step</text>',
        *(
            f'<text x="{x(tick)}" y="{y}" text-anchor="middle" fill="{FAINT}">{tick}</text>'
            for tick in ticks
        ),
    ]
