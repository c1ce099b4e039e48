"""Whether the importance weights can be relied on: the shape of their tail (k-hat) and their
effective sample size. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from collapse_lab.dashboards.columns import Column
from collapse_lab.dashboards.curves import curve
from collapse_lab.dashboards.figures import panel
from collapse_lab.dashboards.ratio_scene import Scene
from collapse_lab.dashboards.scales import vertical_axis
from collapse_lab.dashboards.style import PALETTES, theme_of

KHAT_LIMIT, ESS_LIMIT = 0.7, 0.1
"""Weights are unreliable beyond these (Vehtari et al. 2024; `rules.UnreliableWeights`)."""


def tail_shape(signal: str, khat: Column, median: Column | None, scene: Scene) -> dict[str, Any]:
    """k-hat with its median over five steps, and the line above which weights are unreliable."""
    colours = PALETTES[theme_of(scene.theme)]
    drawn = curve(scene.x, khat, replace(scene.window, smoothing=0.0))
    if median is not None:
        rows = min(len(scene.x), len(median.values))
        smooth = np.interp(drawn.x, scene.x[:rows], median.values[:rows])
        drawn = replace(drawn, smooth=smooth)
    figure = panel(signal, drawn, scene.theme, scene.x_range, scene.shades, scene.events)
    low, high = drawn.span or (0.0, 1.0)
    reach = min(low, 0.0), max(high, KHAT_LIMIT + 0.15)
    figure["layout"]["yaxis"] |= vertical_axis(reach, log=False)
    figure["layout"]["shapes"].append(_level(KHAT_LIMIT, colours.critical))
    return figure


def effective_sample(signal: str, ess: Column, scene: Scene) -> dict[str, Any]:
    """The effective sample size, a share, on a scale from 0 to 1."""
    colours = PALETTES[theme_of(scene.theme)]
    drawn = curve(scene.x, ess, scene.window)
    figure = panel(signal, drawn, scene.theme, scene.x_range, scene.shades, scene.events)
    figure["layout"]["yaxis"] |= {"range": [0, 1.04], "tickvals": [0, 0.25, 0.5, 0.75, 1]}
    figure["layout"]["shapes"].append(_level(ESS_LIMIT, colours.critical))
    return figure


def _level(y: float, colour: str) -> dict[str, Any]:
    return {
        "type": "line", "xref": "paper", "yref": "y", "x0": 0, "x1": 1, "y0": y, "y1": y,
        "line": {"color": colour, "width": 1.2, "dash": "6px,3px"}, "layer": "below",
    }  # fmt: skip


def median_of_five(khat: Column) -> Column:
    """What `ratio/khat_median` is, for runs that do not record it."""
    padded = np.concatenate([np.full(4, np.nan), np.where(khat.finite, khat.values, np.nan)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, 5)
    known = np.isfinite(windows).any(1)
    medians = np.full(len(windows), np.nan)
    medians[known] = np.nanmedian(windows[known], axis=1)
    return Column(medians, np.isfinite(medians))
