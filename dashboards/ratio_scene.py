"""What all panels of the ratio tab share, and how what has gaps stands side by side on x."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from collapse_lab.dashboards.columns import Floats
from collapse_lab.dashboards.curves import Window
from collapse_lab.dashboards.uprights import Event, Shade


@dataclass(frozen=True, slots=True)
class Scene:
    """What all panels of the tab share: rows' `x`, the window, and what happened."""

    x: Floats
    steps: Floats
    window: Window
    x_range: tuple[float, float] | None
    shades: Sequence[Shade]
    events: Sequence[Event]
    theme: str | None

    def at(self, steps: Floats) -> Floats:
        """Where steps stand on the axis."""
        if not len(self.x):
            return steps
        return self.x[np.searchsorted(self.steps, steps).clip(max=len(self.x) - 1)]


def spread(first: Floats, last: Floats) -> tuple[Floats, Any]:
    """Cells side by side: their edges on x, and for each the bucket in it, -1 where there is none.

    >>> edges, columns = spread(np.array([0.0, 1.0, 9.0]), np.array([0.0, 1.0, 9.0]))
    >>> edges.tolist(), columns.tolist()
    ([-0.5, 0.5, 1.5, 8.5, 9.5], [0, 1, -1, 2])
    """
    apart = first[1:] - last[:-1]
    usual = float(np.min(apart[apart > 0], initial=np.inf))
    half = usual / 2 if math.isfinite(usual) else 0.5
    edges, columns = [float(first[0]) - half], [0]
    for bucket, gap in enumerate(apart.tolist(), 1):
        if gap > 3 * usual:
            edges += [float(last[bucket - 1]) + half, float(first[bucket]) - half]
            columns += [-1, bucket]
        else:
            edges.append(float(last[bucket - 1]) + gap / 2)
            columns.append(bucket)
    return np.array([*edges, float(last[-1]) + half]), np.array(columns)
