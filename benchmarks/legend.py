"""The legend of a drawing: what each stroke stands for, in one line."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from collapse_lab.figure.palette import paint

STROKE, SPACE, LETTER = 18, 40, 6
"""Widths: of a sample, of all that stands around a name, of a letter."""


def legend(items: Iterable[tuple[str, str, str]], left: float, top: float) -> list[str]:
    """SVG elements for (role of its paint, dashes, name) of each stroke."""
    parts: list[str] = []
    for role, dashes, name in items:
        parts.append(
            f'<line x1="{left}" x2="{left + STROKE}" y1="{top - 4}" y2="{top - 4}" '
            f'{paint(role, "stroke")} stroke-width="2" stroke-dasharray="{dashes}"/>'
            f'<text x="{left + STROKE + 5}" y="{top}" font-size="11">{escape(name)}</text>'
        )
        left = round(left + SPACE + LETTER * len(name), 1)
    return parts
