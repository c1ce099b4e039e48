"""The ratio tab of one run in one view: from its columns and histograms to figures by panel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from collapse_lab.configured.clipping import Clip
from collapse_lab.configured.frameworks import clip_of
from collapse_lab.dashboards.columns import Column, Columns, Floats
from collapse_lab.dashboards.curves import axis_of, curve
from collapse_lab.dashboards.desk import Desk
from collapse_lab.dashboards.drawing import shown_range, window_of
from collapse_lab.dashboards.figures import panel
from collapse_lab.dashboards.histories import Heat
from collapse_lab.dashboards.placed import MOST_EVENTS, events, shade_of
from collapse_lab.dashboards.ratio_heat_map import Bound, heat_map
from collapse_lab.dashboards.ratio_quadrants import QUADRANTS, quadrants
from collapse_lab.dashboards.ratio_scene import Scene
from collapse_lab.dashboards.ratio_weights import effective_sample, median_of_five, tail_shape
from collapse_lab.dashboards.view import View
from collapse_lab.signals import HISTOGRAMS

LENGTH = "length/mean"


@dataclass(frozen=True, slots=True)
class Level:
    """The panels of one level: a token's ratio, or a whole response's."""

    title: str
    of: str
    histogram: str
    khat: str
    ess: str

    @property
    def quantiles(self) -> dict[str, str]:
        """Recorded quantiles of the log-ratio: signal -> what it is."""
        return {f"{self.histogram}_q{q}": f"{int(q) / 100:g} quantile" for q in ("01", "50", "99")}


LEVELS = {
    "token": Level("Token level", "tokens", "ratio/log", "ratio/khat", "ratio/ess_frac"),
    "sequence": Level(
        "Sequence level",
        "responses",
        "ratio/sequence_log",
        "ratio/sequence_khat",
        "ratio/sequence_ess_frac",
    ),
}
DIVERGENCES = {
    "kl/old": "from the policy that made the data",
    "kl/ref": "from the reference policy",
}
OTHERS = ("ratio/mean", "ratio/max", "ratio/min", "ratio/clip_frac", "mismatch/is_mean",
          "mismatch/is_max", "mismatch/ess", "mismatch/k3_kl")  # fmt: skip
"""Drawn where there is no histogram to show the whole."""


def panels_of(names: Iterable[str], histograms: Iterable[str]) -> list[str]:
    """The panels that a run has something for, in the order of the page: `heat:` and a histogram,
    `khat:`, `ess:` or `plain:` and a signal, `share:` and a divergence."""
    logged, measured = set(names), set(histograms)
    found: list[str] = []
    for level in LEVELS.values():
        if level.histogram in measured or set(level.quantiles) <= logged:
            found.append(f"heat:{level.histogram}")
        found += [f"khat:{level.khat}"] if level.khat in logged else []
        found += [f"ess:{level.ess}"] if level.ess in logged else []
    for divergence in DIVERGENCES:
        if any(f"{divergence}_share_{key}" in logged for key in QUADRANTS):
            found.append(f"share:{divergence}")
    if not any(level.histogram in measured for level in LEVELS.values()):
        found += [f"plain:{name}" for name in OTHERS if name in logged]
    return found


def draw(
    desk: Desk, name: str, view: View, theme: str | None, panels: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Figures by panel. Raises UnknownRun."""
    columns, alarms = desk.columns(name), desk.alarms(name)
    window = window_of(view, alarms)
    x = axis_of(columns, window)
    steps = columns.steps[: len(x)].astype(np.float64)
    scene = Scene(
        x,
        steps,
        window,
        shown_range(x, window),
        [shade_of(columns, x, alarm) for alarm in alarms[:MOST_EVENTS]],
        events(columns, x),
        theme,
    )
    clip = clip_of(desk.meta(name).get("config"))
    histories = desk.histories(name).by_name
    low, high = _steps_within(scene)
    figures: dict[str, dict[str, Any]] = {}
    for key in panels:
        kind, _, signal = key.partition(":")
        if kind == "heat":
            history = histories.get(signal)
            heat = history.heat(low, high) if history else None
            figures[key] = _heat(columns, signal, heat, clip, scene)
        elif kind == "share":
            found = {part: f"{signal}_share_{part}" for part in QUADRANTS}
            read = columns.read(found.values())
            shares = {part: read[name] for part, name in found.items() if name in read}
            figures[key] = quadrants(shares, scene)
        elif kind == "khat":
            read = columns.read([signal, f"{signal}_median"])
            median = read.get(f"{signal}_median") or median_of_five(read[signal])
            figures[key] = tail_shape(signal, read[signal], median, scene)
        elif kind == "ess":
            figures[key] = effective_sample(signal, columns.read([signal])[signal], scene)
        else:
            drawn = curve(x, columns.read([signal])[signal], window)
            figures[key] = panel(signal, drawn, theme, scene.x_range, scene.shades, scene.events)
    return figures


def _heat(
    columns: Columns, histogram: str, heat: Heat | None, clip: Clip | None, scene: Scene
) -> dict[str, Any]:
    level = next(level for level in LEVELS.values() if level.histogram == histogram)
    read = columns.read([*level.quantiles, LENGTH])
    quantiles = {text: read[name] for name, text in level.quantiles.items() if name in read}
    bounds = bounds_of(clip, level, read.get(LENGTH), scene.x) if clip else []
    return heat_map(HISTOGRAMS[histogram], heat, quantiles, bounds, scene)


def bounds_of(clip: Clip, level: Level, length: Column | None, x: Floats) -> list[Bound]:
    """The clip on the axis of a level's histogram. What holds for the mean of a response is drawn
    over its sum at the mean length of each step."""
    everywhere = np.zeros(0)
    if level is LEVELS["token"]:
        if clip.level != "token":
            return []
        return [
            Bound(f"clip at ratio {np.exp(end):.4g}", everywhere, np.array([end]))
            for end in (clip.low, clip.high)
            if np.isfinite(end)
        ]
    if length is None:
        return []
    ends = [("clip", end, False) for end in (clip.low, clip.high) if clip.level == "mean"]
    if clip.mask is not None:
        ends.append(("mask, A < 0", -clip.mask, True))
    rows = min(len(x), len(length.values))
    tokens = np.where(length.finite, length.values, np.nan)[:rows]
    return [
        Bound(f"{text} at {np.exp(end):.4g} a token", x[:rows], end * tokens, dotted)
        for text, end, dotted in ends
        if np.isfinite(end)
    ]


def _steps_within(scene: Scene) -> tuple[float, float]:
    """The steps that the window spans."""
    inside = scene.steps[(scene.x >= scene.window.low) & (scene.x <= scene.window.high)]
    return (float(inside[0]), float(inside[-1])) if len(inside) else (0.0, -1.0)
