"""One signal over the steps: axes, series, bands and marks as parts of an SVG document."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from collapse_lab.figure.palette import paint
from collapse_lab.inert import inert
from collapse_lab.records import Alarm, Evidence, Record
from collapse_lab.signals import SIGNALS

Point = tuple[int, float]
MARGIN = 6


class Scale:
    """Numbers between `low` and `high` -> pixels between `start` and `end`; with `log`, numbers
    that are positive are placed by their logarithm. What is beyond, or not finite, sits at the
    edge."""

    def __init__(self, low: float, high: float, start: float, end: float, log: bool = False):
        self.log = log
        self.low, self.high = self._value(low), self._value(high)
        if self.low == self.high:
            pad = max(0.1 * abs(self.low), 0.5)  # 0.5 alone is lost beside 1e16
            self.low, self.high = self.low - pad, self.high + pad
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        value = min(max(self._value(value), self.low), self.high)
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def _value(self, value: float) -> float:
        if not self.log:
            return value
        return math.log10(value) if value > 0 else -math.inf


@dataclass(frozen=True, slots=True)
class Box:
    """Where a panel lies, in pixels."""

    left: float
    top: float
    width: float
    height: float

    @property
    def bottom(self) -> float:
        return self.top + self.height

    def rect(self, role: str, left: float, right: float) -> str:
        """A stretch of steps over the whole panel; a single step is still seen."""
        return (
            f'<rect x="{left}" y="{self.top}" width="{max(right - left, 2):.1f}" '
            f'height="{self.height}" {paint(role)}/>'
        )

    def line(self, x: float, role: str, width: str, dash: str = "none") -> str:
        """A step as an upright line."""
        return (
            f'<line x1="{x}" x2="{x}" y1="{self.top}" y2="{self.bottom}" {paint(role, "stroke")} '
            f'stroke-width="{width}" stroke-dasharray="{dash}"/>'
        )

    def whole(self, role: str) -> str:
        return self.rect(role, self.left, self.left + self.width)


def panel(
    name: str,
    records: Sequence[Record],
    x: Scale,
    box: Box,
    alarm: Alarm | None,
    expected: Evidence | None = None,
    earlier: Sequence[Alarm] = (),
    others: Sequence[Sequence[Record]] = (),
) -> list[str]:
    """The panel of one signal with its name above it and its range beside it."""
    bounds = [expected.low, expected.high] if expected else []
    y = vertical(name, itertools.chain(records, *others), box, bounds)
    signal = SIGNALS.get(name)
    parts = [
        box.whole("plot"),
        f'<text x="{box.left}" y="{box.top - 5}"><tspan font-weight="600">{label(name)}</tspan> '
        f"<tspan {paint('faint')}>{escape(signal.meaning if signal else '')}</tspan></text>",
    ]
    if expected and alarm:
        parts.append(box.rect("course", x(expected.since), x(alarm.step)))
    if alarm:
        parts.append(began(alarm, x, box))
    if expected:
        upper, lower = y(expected.high), y(expected.low)
        parts.append(
            f'<rect x="{box.left}" y="{upper}" width="{box.width}" '
            f'height="{max(lower - upper, 1):.1f}" {paint("band")} opacity="0.8"/>'
        )
    parts += [
        f'<text x="{box.left - MARGIN}" y="{place + 4}" text-anchor="end" '
        f"{paint('faint')}>{tick:.3g}</text>"
        for tick, place in ticks(name, itertools.chain(records, *others), y, bounds)
    ]
    parts += curves(name, records, x, y, box, others)
    parts += [box.line(x(notice.step), "notice", "1") for notice in earlier]
    return parts + (marks(alarm, x, box) if alarm else [])


def began(alarm: Alarm, x: Scale, box: Box) -> str:
    """The interval in which the change as a whole began."""
    low, high = alarm.since_interval
    return box.rect("since", x(low), x(high))


def marks(alarm: Alarm, x: Scale, box: Box) -> list[str]:
    """The alarm, and the last step before it that still looked healthy."""
    parts = [box.line(x(alarm.step), "alarm", "2")]
    if alarm.last_healthy_step is not None:
        parts.append(box.line(x(alarm.last_healthy_step), "healthy", "1.5", dash="3 3"))
    return parts


def label(name: str) -> str:
    """A signal's name as text of an SVG."""
    return escape(inert(name, most=60))


def extent(name: str, records: Iterable[Record], bounds: Sequence[float] = ()) -> list[float]:
    """[lowest, highest] finite value of the signal and the bounds; [] without one."""
    values = (record.values[name] for record in records if name in record.values)
    shown = [value for value in itertools.chain(values, bounds) if math.isfinite(value)]
    return [min(shown), max(shown)] if shown else []


def vertical(name: str, records: Iterable[Record], box: Box, bounds: Sequence[float] = ()) -> Scale:
    """The upright scale of a signal: log where its transform reads better so and it is positive."""
    low, high = extent(name, records, bounds) or (0.0, 0.0)
    signal = SIGNALS.get(name)
    log = signal is not None and signal.transform == "log" and low > 0
    return Scale(low, high, box.bottom - MARGIN, box.top + MARGIN, log)


def ticks(
    name: str, records: Iterable[Record], y: Scale, bounds: Sequence[float]
) -> list[tuple[float, float]]:
    """(number, pixel) of the lowest and the highest value."""
    return [(tick, y(tick)) for tick in dict.fromkeys(extent(name, records, bounds))]


def curves(
    name: str,
    records: Sequence[Record],
    x: Scale,
    y: Scale,
    box: Box,
    others: Sequence[Sequence[Record]],
    width: float = 1.5,
) -> list[str]:
    """The series, over those of other attempts at the run."""
    faint = (_curve(name, one, x, y, box, "faint", 1, dash="3 2") for one in others)
    return [*itertools.chain(*faint), *_curve(name, records, x, y, box, "line", width)]


def _curve(
    name: str,
    records: Sequence[Record],
    x: Scale,
    y: Scale,
    box: Box,
    role: str,
    width: float,
    dash: str = "",
) -> list[str]:
    """The series as a path, and a cross wherever the run logged NaN or infinity."""
    attempts = list(_attempts(name, records))
    path = " ".join(
        f"{'L' if index else 'M'}{x(step)} {y(value)}"
        for attempt in attempts
        for piece in _pieces(attempt)
        for index, (step, value) in enumerate(thinned(piece, x))
    )
    lost = {
        round(x(step)): (step, value)
        for attempt in attempts
        for step, value in attempt
        if value is not None and not math.isfinite(value)
    }
    cross = paint("alarm" if role == "line" else role)
    dashes = f'stroke-dasharray="{dash}" ' if dash else ""
    return [
        f'<path d="{path}" fill="none" {paint(role, "stroke")} stroke-width="{width}" '
        f'{dashes}stroke-linejoin="round"/>',
        *(
            f'<text x="{x(step)}" y="{box.bottom - 3}" text-anchor="middle" font-weight="700" '
            f"{cross}>&#215;<title>step {step}: {value}</title></text>"
            for step, value in lost.values()
        ),
    ]


def _attempts(name: str, records: Sequence[Record]) -> Iterator[list[tuple[int, float | None]]]:
    """The series, None where a step has no value, in pieces that each go forward in steps."""
    piece: list[tuple[int, float | None]] = []
    for record in records:
        if piece and record.step < piece[-1][0]:
            yield piece
            piece = []
        piece.append((record.step, record.values.get(name)))
    yield piece


def _pieces(attempt: Iterable[tuple[int, float | None]]) -> Iterator[list[Point]]:
    """Stretches of finite values: the pen lifts over steps that log nothing, NaN or infinity."""
    piece: list[Point] = []
    for step, value in attempt:
        if value is not None and math.isfinite(value):
            piece.append((step, value))
        elif piece:
            yield piece
            piece = []
    if piece:
        yield piece


def thinned(points: Sequence[Point], x: Scale) -> list[Point]:
    """Of the points in one pixel column the first, the lowest, the highest and the last: what is
    drawn looks the same, and no spike is lost."""
    kept: list[Point] = []
    for _, group in itertools.groupby(points, key=lambda point: round(x(point[0]))):
        column = list(group)
        low, high = min(column, key=lambda p: p[1]), max(column, key=lambda p: p[1])
        kept += sorted({column[0], low, high, column[-1]})
    return kept
