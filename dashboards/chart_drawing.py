"""The detector's charts in the window of a page: nothing unless the view asks for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from collapse_lab.dashboards.charts import E_VALUE
from collapse_lab.dashboards.columns import Columns, Floats
from collapse_lab.dashboards.curves import Curve, Window, curve
from collapse_lab.dashboards.desk import Desk
from collapse_lab.dashboards.figures import RAW
from collapse_lab.dashboards.settings import settings_of
from collapse_lab.dashboards.strips import FLOOR, LEAST, STRIP, grounded
from collapse_lab.dashboards.view import View

CHARTS = "charts"
"""The control that shows them."""
A_TICK_SECONDS = 0.3
"""How long a picture may wait for the detectors."""


@dataclass(frozen=True, slots=True)
class Charted:
    """Charts to draw, by signal or E_VALUE, and where their limits lie."""

    curves: dict[str, Curve]
    e_limit: float
    cusum_limit: float

    def appended(self, name: str, low: float) -> dict[int, tuple[Floats, Floats]]:
        """What a chart has from `low` on, by the trace that it belongs to."""
        chart = self.curves.get(name)
        if chart is None:
            return {}
        fresh = chart.x >= low
        return {RAW if name == E_VALUE else STRIP: (chart.x[fresh], chart.y[fresh])}


def charted(
    desk: Desk, run: str, view: View, names: Iterable[str], columns: Columns, x: Floats,
    window: Window,
) -> Charted:  # fmt: skip
    """The charts of the names that are judged, over the rows that x stands for, after the
    detectors had a moment to go on."""
    if not view.get(CHARTS):
        return Charted({}, 0.0, 0.0)
    charts = desk.charts(run, settings_of(view))
    charts.refresh(A_TICK_SECONDS)
    raw = replace(window, smoothing=0.0)
    curves: dict[str, Curve] = {}
    for name in names:
        chart = charts.column(name, columns.steps[: len(x)])
        if chart is not None:
            ground = LEAST if name == E_VALUE else FLOOR
            curves[name] = curve(x, grounded(chart, ground), raw)
    return Charted(curves, charts.e_limit, charts.cusum_limit)
