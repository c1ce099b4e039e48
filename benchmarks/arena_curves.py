"""Success of the arena's runs as small multiples in SVG: a block a task, a panel an algorithm.

A panel shows the median over seeds, the range of all seeds, and a cross on every seed's curve
where half of its gain was gone. The best algorithm's median is there in grey in every panel, to
compare with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from benchmarks.arena_runs import WINDOW, ArenaRun, Array, moving_mean
from benchmarks.arena_tables import by_task, ranked
from collapse_lab.figure.palette import COLOURS

WIDTH, COLUMNS, PANEL, LEFT, RIGHT = 880, 3, 120, 40, 12
TITLE, HEAD, ROW, FOOT = 58, 42, 44, 4
GAP = 20
PANEL_WIDTH = (WIDTH - LEFT - RIGHT - (COLUMNS - 1) * GAP) / COLUMNS
GRID = "#e5e7eb"
INK, FAINT, LINE, BAND, ALARM = (
    COLOURS[role][0] for role in ("ink", "faint", "line", "band", "alarm")
)


def draw(runs: Iterable[ArenaRun]) -> str:
    """An SVG document."""
    parts: list[str] = []
    top = float(TITLE)
    for task, rows in by_task(runs).items():
        parts.append(
            f'<text x="{LEFT}" y="{top + 14}" font-size="14" font-weight="600">'
            f"{escape(task)}</text>"
        )
        names = ranked(rows)
        best = np.median(_curves(rows[names[0]]), axis=0)
        last = max(run.steps for of_one in rows.values() for run in of_one) - 1
        for place, name in enumerate(names):
            row, column = divmod(place, COLUMNS)
            panel = _Panel(
                LEFT + column * (PANEL_WIDTH + GAP), top + HEAD + row * (PANEL + ROW), last
            )
            parts += panel.frame(name, rows[name], numbers=column == 0)
            parts += panel.series(rows[name], best)
        top += HEAD + -(-len(names) // COLUMNS) * (PANEL + ROW)
    height = top + FOOT
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="{INK}">\n'
        f'<rect width="{WIDTH}" height="{height:g}" fill="white"/>\n'
        f'<text x="{LEFT}" y="22" font-size="15" font-weight="600">Success of sampled episodes by '
        f"training step</text>\n"
        f'<text x="{LEFT}" y="40" fill="{FAINT}">mean of {WINDOW} steps: median and range over '
        f'seeds; <tspan fill="{ALARM}">&#215;</tspan> half of a seed&#8217;s gain is gone; grey: '
        "the best algorithm&#8217;s median</text>"
    )
    return "\n".join([head, *parts, "</svg>\n"])


class _Panel:
    """Steps 0 to `last` and success 0 to 1 at a place on the page."""

    def __init__(self, left: float, top: float, last: int) -> None:
        self.left, self.top, self.last = left, top, last

    def x(self, step: float) -> float:
        return round(self.left + PANEL_WIDTH * step / self.last, 1)

    def y(self, success: float) -> float:
        return round(self.top + PANEL * (1 - success), 1)

    def frame(self, name: str, runs: Sequence[ArenaRun], numbers: bool) -> list[str]:
        collapsed = sum(run.collapsed for run in runs)
        parts = [
            f'<text x="{self.x(0)}" y="{self.top - 6:g}"><tspan font-weight="600">{escape(name)}'
            f'</tspan> <tspan fill="{FAINT}">{collapsed} of {len(runs)} collapsed</tspan></text>'
        ]
        for level in (0, 0.5, 1):
            height = self.y(level)
            parts.append(
                f'<line x1="{self.x(0)}" x2="{self.x(self.last)}" y1="{height}" y2="{height}" '
                f'stroke="{GRID}"/>'
            )
            if numbers:
                parts.append(
                    f'<text x="{self.left - 6:g}" y="{height + 4}" text-anchor="end" '
                    f'fill="{FAINT}">{level:g}</text>'
                )
        parts += [
            f'<text x="{self.x(step)}" y="{self.y(0) + 14}" text-anchor="middle" '
            f'fill="{FAINT}">{step}</text>'
            for step in range(0, self.last + 1, 10 * max(1, self.last // 40))
        ]
        return parts

    def series(self, runs: Sequence[ArenaRun], best: Array) -> list[str]:
        curves = _curves(runs)
        low, high, middle = curves.min(0), curves.max(0), np.median(curves, axis=0)
        band = [*self._points(high), *reversed(self._points(low))]
        parts = [
            f'<path d="M{" L".join(band)} Z" fill="{BAND}"/>',
            self._path(best, FAINT, 1),
            self._path(middle, LINE, 2),
        ]
        for run in runs:
            if run.cross is not None:
                curve = moving_mean(run.success)
                step = max(run.cross, WINDOW - 1)  # before that there is no mean
                success = curve[step - (run.steps - len(curve))]
                parts.append(
                    f'<text x="{self.x(step)}" y="{self.y(float(success)) + 5}" '
                    f'text-anchor="middle" font-size="15" font-weight="700" fill="{ALARM}">&#215;'
                    f"<title>seed {run.seed}, step {run.cross}</title></text>"
                )
        return parts

    def _points(self, curve: Array) -> list[str]:
        """A mean is drawn at the last of its steps."""
        first = min(WINDOW, self.last + 1) - 1
        return [
            f"{self.x(first + step)} {self.y(float(value))}" for step, value in enumerate(curve)
        ]

    def _path(self, curve: Array, colour: str, width: int) -> str:
        return (
            f'<path d="M{" L".join(self._points(curve))}" fill="none" stroke="{colour}" '
            f'stroke-width="{width}" stroke-linejoin="round"/>'
        )


def _curves(runs: Sequence[ArenaRun]) -> Array:
    """A smoothed curve a seed, as long as the shortest."""
    curves = [moving_mean(run.success) for run in runs]
    length = min(map(len, curves))
    return np.array([curve[:length] for curve in curves])
