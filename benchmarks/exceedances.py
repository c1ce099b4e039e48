"""How often whitened residuals of healthy runs are large, and large twice in a row.

The e-detector's guarantee rests on one number a level: the probability that a residual exceeds
it *given the past*. Measured here as the rate after a step that exceeded too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.corpus import LabelledLog
from benchmarks.judge import Judgement
from collapse_lab.scoring import Share
from collapse_lab.scoring.markdown import percent, table_of
from collapse_lab.signals import SIGNALS

LEVELS = (1.5, 2.5, 4.0)


@dataclass(slots=True)
class Counts:
    """Residuals judged, those beyond the level, and the same after one beyond the level."""

    judged: int = 0
    beyond: int = 0
    after: int = 0
    beyond_after: int = 0

    def add(self, beyond: np.ndarray, judged: np.ndarray) -> None:
        both = judged[1:] & judged[:-1]
        self.judged += int(judged.sum())
        self.beyond += int(beyond.sum())
        self.after += int((both & beyond[:-1]).sum())
        self.beyond_after += int((both & beyond[:-1] & beyond[1:]).sum())


def count(
    logs: Sequence[LabelledLog], judgements: Sequence[Judgement], family: str | None = None
) -> dict[str, dict[float, Counts]]:
    """Signal (and "all") -> level -> counts, over healthy logs; both sides where both are bad."""
    totals: dict[str, dict[float, Counts]] = {}
    for log, judgement in zip(logs, judgements, strict=True):
        if not log.healthy or family not in (None, log.family):
            continue
        for name, residuals in judgement.residuals.items():
            judged = np.isfinite(residuals)
            bad = SIGNALS[name].bad
            sides = (1, -1) if bad == "both" else (1 if bad == "up" else -1,)
            for level in LEVELS:
                for side in sides:
                    beyond = judged & (side * np.nan_to_num(residuals) > level)
                    for row in ("all", name):
                        counts = totals.setdefault(row, {one: Counts() for one in LEVELS})[level]
                        counts.add(beyond, judged)
    return totals


def table(logs: Sequence[LabelledLog], judgements: Sequence[Judgement]) -> str:
    """Markdown: the rate of exceedance and the rate after an exceedance, by level and signal."""
    header = ["signal", "residuals"]
    for level in LEVELS:
        header += [f"> {level:g}", "after one"]
    lines: list[list[str]] = []
    for family in ("llm", "control"):
        totals = count(logs, judgements, family)
        if totals:
            lines.append(_line(f"**all, {family}**", totals["all"]))
    totals = count(logs, judgements)
    for name in sorted(totals.keys() - {"all"}, key=lambda name: (-totals[name][1.5].judged, name)):
        lines.append(_line(f"`{name}`", totals[name]))
    return (
        "Share of residuals beyond a level in the bad direction (each side on its own where both "
        "are bad), and the same share right after a record that was beyond it.\n\n"
        + table_of(header, lines)
    )


def _line(name: str, levels: dict[float, Counts]) -> list[str]:
    line = [name, f"{levels[LEVELS[0]].judged:,}"]
    for level in LEVELS:
        counts = levels[level]
        after = Share(counts.beyond_after, counts.after)
        line.append(percent(Share(counts.beyond, counts.judged).value, 1))
        line.append(f"{percent(after.value, 1)} of {counts.after:,}")
    return line
