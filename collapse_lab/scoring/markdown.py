"""Numbers and tables as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from collapse_lab.scoring.shares import Share


def table_of(header: Sequence[str], lines: Iterable[Sequence[str]], numbers: bool = True) -> str:
    """A Markdown table: names to the left, the other columns to the right when they are numbers."""
    align = ["---", *("---:" if numbers else "---" for _ in header[1:])]
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, align, *lines))


def percent(share: float, digits: int = 0) -> str:
    """A share in percent; a dash for NaN."""
    return "-" if math.isnan(share) else f"{100 * share:.{digits}f} %"


def share(part: Share) -> str:
    """`3/69, 4 % [1, 12]`: count, percent and Wilson interval; a dash of no runs."""
    if not part.of:
        return "-"
    low, high = part.interval
    return f"{part.hits}/{part.of}, {percent(part.value)} [{100 * low:.0f}, {100 * high:.0f}]"


def brackets(ends: tuple[float, float], form: str = ".2f") -> str:
    """`[0.45, 0.61]`, an interval; a dash in it where there is none."""
    return "[-]" if math.isnan(ends[0]) else f"[{ends[0]:{form}}, {ends[1]:{form}}]"


def plain(value: float, digits: int = 1) -> str:
    """A number with at most so many digits after the point; a dash for NaN."""
    return "-" if math.isnan(value) else f"{value:z,.{digits}f}".removesuffix(".0")
