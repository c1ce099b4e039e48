"""What the compare page shows of the runs that its address names: numbers in, panels out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from collapse_lab.dashboards.columns import Column, Columns, Floats
from collapse_lab.dashboards.comparison import (
    MOST_RUNS,
    Align,
    Band,
    differences,
    edges_of,
    group_band,
    groups,
    healthy_band,
    names_of,
)
from collapse_lab.dashboards.curves import Curve, Window, curve
from collapse_lab.dashboards.desk import Desk
from collapse_lab.dashboards.overlays import Group, Line, overlay
from collapse_lab.dashboards.root import UnknownRun
from collapse_lab.dashboards.summary import Summary
from collapse_lab.dashboards.view import View, number
from collapse_lab.labels import REWARDS
from collapse_lab.records import told_first
from collapse_lab.report.redact import settings

POINTS, LEAST_POINTS = 8000, 120
"""Points of one panel, shared by its runs, and the least for one of them."""
MOST_HEALTHY, MOST_SIGNALS = 60, 12
HEALTHY_LABELS = ("healthy", "healthy_with_dip")
TELLING = (
    "policy/entropy", "optim/grad_norm", "kl/ref", "kl/old", "ratio/max", "ratio/ess_frac",
    "ratio/clip_frac", "mismatch/k3_kl", "length/mean", "policy/valid_frac", "loss/pg",
    "eval/success_rate",
)  # fmt: skip
"""Shown when the address names no signals, after a reward and what the alarms are about."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The runs that an address names: `runs` can be read, `gone` are not there or cannot. `zero` is
    the step that is 0 for each run; a run in `runs` without one has nothing to be aligned at and is
    not drawn."""

    runs: dict[str, Summary]
    gone: list[str]
    align: Align
    zero: dict[str, int]

    @property
    def drawn(self) -> list[str]:
        return [name for name in self.runs if name in self.zero]


def choose(desk: Desk, view: View) -> Chosen:
    """Reads the summaries of the runs in the address."""
    runs: dict[str, Summary] = {}
    gone: list[str] = []
    for name in names_of(view)[:MOST_RUNS]:
        try:
            summary, _ = desk.index.summary(name), desk.columns(name)
            runs[name] = summary
        except UnknownRun:
            gone.append(name)
    align = cast(Align, view.get("align")) if view.get("align") in ("alarm", "onset") else "step"
    zero = {name: _zero(summary, align) for name, summary in runs.items()}
    known = {name: step for name, step in zero.items() if step is not None}
    return Chosen(runs, gone, align, known)


def _zero(summary: Summary, align: Align) -> int | None:
    if align == "alarm":
        return summary.alarm_step
    return summary.onset if align == "onset" else 0


def configurations(desk: Desk, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """The settings of every run by dotted name, secrets masked."""
    configs = {name: desk.meta(name).get("config") for name in names}
    return {name: dict(settings(config)) if config else {} for name, config in configs.items()}


def differing(desk: Desk, chosen: Chosen) -> dict[str, list[str]]:
    """The settings that are not the same in all runs, in their order."""
    return differences(configurations(desk, chosen.runs))


def available(desk: Desk, chosen: Chosen) -> list[str]:
    """The signals that any of the runs logs."""
    return list(dict.fromkeys(name for run in chosen.runs for name in desk.columns(run).names))


def shown_signals(desk: Desk, chosen: Chosen, view: View) -> list[str]:
    """The signals of the address, else a reward, what the alarms are about, and what tells most."""
    there = available(desk, chosen)
    if named := [name for name in names_of(view, "signals") if name in there]:
        return named[:MOST_SIGNALS]
    reward = [name for name in REWARDS if name in there][:1]
    told = [told_first(desk.alarms(run)) for run in chosen.runs]
    moved = [name for alarm in told if alarm for name in alarm.signals]
    order = dict.fromkeys((*reward, *moved[:4], *TELLING))
    return [name for name in order if name in there][: MOST_SIGNALS - 3] or there[:MOST_SIGNALS]


def reference_of(desk: Desk, view: View, chosen: Chosen) -> list[tuple[Desk, str]]:
    """The healthy runs that the address asks to see behind: those of the reference corpus, or of
    this root and the same task. A run is never held against itself."""
    asked = view.get("ref")
    if asked == "corpus" and desk.reference is not None:
        rows = desk.reference.index.rows()
        return [(desk.reference, row.name) for row in rows[:MOST_HEALTHY]]
    if asked != "quiet":
        return []
    tasks = {summary.task for summary in chosen.runs.values()}
    healthy = [
        (desk, row.name)
        for row in desk.index.rows()
        if row.label in HEALTHY_LABELS and row.name not in chosen.runs and row.task in tasks
    ]
    return healthy[:MOST_HEALTHY]


def panels(
    desk: Desk, view: View, theme: str | None, signals: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """A figure for every signal, with one line a run, or one band a group of runs."""
    chosen = choose(desk, view)
    drawn = {name: desk.columns(name) for name in chosen.drawn}
    x = {name: _x(columns, chosen.zero[name]) for name, columns in drawn.items()}
    low, high = number(view, "from", -math.inf), number(view, "to", math.inf)
    window = Window(
        low=low, high=high,
        points=max(POINTS // max(len(drawn), 1), LEAST_POINTS),
        smoothing=min(max(number(view, "smooth", 0.0), 0.0), 0.995),
    )  # fmt: skip
    x_range = _range(list(x.values()), low, high)
    members = grouping(desk, chosen, view)
    by_step = chosen.align == "step"
    healthy = reference_of(desk, view, chosen)
    figures: dict[str, dict[str, Any]] = {}
    for signal in signals:
        found = {name: columns.read([signal]).get(signal) for name, columns in drawn.items()}
        read = {name: (x[name], column) for name, column in found.items() if column is not None}
        lines: list[Line] = []
        bands: list[Group] = []
        if members:
            edges = edges_of([x for x, _ in read.values()], low, high)
            for rank, (value, names) in enumerate(members.items()):
                if parts := [read[name] for name in names if name in read]:
                    bands.append(Group(value, rank, len(parts), group_band(parts, edges)))
        else:
            for rank, name in enumerate(chosen.runs):
                if name in read:
                    line = curve(*read[name], window)
                    alarm = _alarm_at(chosen.runs[name], chosen.zero[name], line)
                    lines.append(Line(name, rank, line, alarm))
        figures[signal] = overlay(
            signal, lines, bands, _healthy(healthy, signal, by_step), theme, x_range,
            zero="" if by_step else chosen.align,
        )  # fmt: skip
    return figures


def grouping(desk: Desk, chosen: Chosen, view: View) -> dict[str, list[str]]:
    """Value -> runs for the setting that the address groups by; {} when it is none that differs."""
    key = view.get("by", "")
    values = differing(desk, chosen).get(key) if key else None
    return groups(list(chosen.runs), values) if values else {}


def state(desk: Desk, chosen: Chosen) -> list[Any]:
    """What changes when any of the drawn runs has grown or alarmed."""
    marks: list[Any] = []
    for name, summary in chosen.runs.items():
        columns = desk.columns(name)
        marks.append([columns.rows, columns.version, summary.alarms])
    return marks


def _x(columns: Columns, zero: int) -> Floats:
    return columns.steps.astype(np.float64) - zero


def _range(xs: Sequence[Floats], low: float, high: float) -> tuple[float, float] | None:
    known = [x for x in xs if len(x)]
    if not known:
        return None
    first = low if math.isfinite(low) else min(float(x[0]) for x in known)
    last = high if math.isfinite(high) else max(float(x[-1]) for x in known)
    pad = 0.0 if math.isfinite(low) else (last - first) * 0.01 or 0.5
    return first - pad, last + pad


def _alarm_at(run: Summary, zero: int, line: Curve) -> tuple[float, float] | None:
    """Where a run's first alarm stands on its line; None outside of what is drawn, and where the
    run has gone back behind it."""
    step = run.alarm_step
    y = line.y if line.smooth is None else line.smooth
    known = np.flatnonzero(np.isfinite(line.x) & np.isfinite(y))
    if step is None or run.alarm_share is None or not len(known):
        return None
    x = line.x[known]
    if not x[0] <= step - zero <= x[-1]:
        return None
    return float(step - zero), float(np.interp(step - zero, x, y[known]))


def _healthy(runs: Sequence[tuple[Desk, str]], signal: str, by_step: bool) -> Band | None:
    parts: list[tuple[Floats, Column]] = []
    for desk, name in runs:
        try:
            columns = desk.columns(name)
        except UnknownRun:  # deleted since the index was made
            continue
        if (column := columns.read([signal]).get(signal)) is not None:
            parts.append((_x(columns, 0), column))
    return healthy_band(parts, by_step)
