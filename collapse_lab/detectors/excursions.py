"""When did each signal leave its healthy band, how far, and how steadily: one CUSUM a direction.

S_t = max(0, S_{t-1} + min(u_t, 4) - k) (Page 1954). The step after the last zero is where an
excursion began; a second chart with three quarters of the allowance gives the earliest plausible
begin, the first residual beyond 2.5 the latest. Every detector explains itself from this table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from collapse_lab.detectors.frontend import Array, Residuals
from collapse_lab.detectors.scale import from_scale
from collapse_lab.records import Evidence
from collapse_lab.signals import SIGNALS

ALLOWANCE, WIDE_ALLOWANCE = 1.0, 0.75
CLIP = 4.0
BEYOND, FAR_BEYOND = 1.5, 2.5
"""Residuals that count as bad, and as clearly bad."""
UP, DOWN = 0, 1
STRONGEST = 3
"""Signals that date the onset: the weakest one has begun earlier by chance."""


def _empty() -> Array:
    return np.zeros((2, 0))


@dataclass(slots=True)
class Excursions:
    """CUSUM of every judged signal; arrays are (direction, signal), rows UP and DOWN.

    `score` is the chart, `since` the step its excursion began, `earliest` and `latest` bound that,
    `steps` and `bad` count the records since then and those beyond the healthy band. A direction
    that is not bad for a signal stays at zero.
    """

    score: Array = field(default_factory=_empty)
    since: Array = field(default_factory=_empty)
    earliest: Array = field(default_factory=_empty)
    latest: Array = field(default_factory=_empty)
    steps: Array = field(default_factory=_empty)
    bad: Array = field(default_factory=_empty)
    _wide: Array = field(default_factory=_empty)
    _watched: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((2, 0), bool))
    _now: Residuals | None = None

    def update(self, residuals: Residuals) -> None:
        """Adds one step; a signal without a residual keeps its chart as it is."""
        self.grow(residuals.names)
        self._now = residuals
        u = np.stack([residuals.u, -residuals.u])
        live = np.isfinite(u) & self._watched
        gain = np.minimum(np.where(live, u, 0.0), CLIP)
        for chart, allowance, begin in (
            (self.score, ALLOWANCE, self.since),
            (self._wide, WIDE_ALLOWANCE, self.earliest),
        ):
            before = chart == 0
            chart[live] = np.maximum(0.0, chart[live] + gain[live] - allowance)
            begin[live & before & (chart > 0)] = residuals.step
        over = live & (self.score == 0)
        self.steps[over], self.bad[over], self.latest[over] = 0, 0, np.nan
        running = live & (self.score > 0)
        self.steps[running] += 1
        self.bad[running & (u > BEYOND)] += 1
        self.latest[running & (u > FAR_BEYOND) & np.isnan(self.latest)] = residuals.step

    def deviations(self) -> dict[str, float]:
        """Family -> its largest residual in a bad direction at the last step."""
        worst: dict[str, float] = {}
        if (now := self._now) is None:
            return worst
        u = np.where(self._watched, np.stack([now.u, -now.u]), -np.inf).max(axis=0)
        for name, deviation in zip(now.names, u.tolist(), strict=True):
            family = SIGNALS[name].family
            if deviation > worst.get(family, -math.inf):  # NaN compares false: not judged
                worst[family] = deviation
        return worst

    def evidence(self, least: float = 3.0, most: int = 6) -> tuple[Evidence, ...]:
        """Signals whose excursion scores at least `least`, the strongest first."""
        now = self._now
        if now is None:
            return ()
        order = np.argsort(-self.score, axis=None)
        parts: list[Evidence] = []
        for flat in order[: 2 * most]:
            direction, row = divmod(int(flat), self.score.shape[1])
            if self.score[direction, row] < least or len(parts) == most:
                break
            if math.isfinite(now.x[row]) and math.isfinite(now.expected[row]):
                parts.append(self._part(now, direction, row))
        return tuple(parts)

    def onset(self, evidence: tuple[Evidence, ...]) -> tuple[int, tuple[int, int]]:
        """When the strongest of these signals began to leave their courses, and its bounds: the
        earliest plausible begin of any of them, and the step by which all had clearly left."""
        assert self._now is not None
        strongest = evidence[:STRONGEST]
        since = min((part.since for part in strongest), default=self._now.step)
        low = min((self._bounds(part)[0] for part in strongest), default=since)
        high = max((self._bounds(part)[1] for part in strongest), default=since)
        return since, (low, high)

    def joint_onset(self, evidence: tuple[Evidence, ...]) -> tuple[int, tuple[int, int]]:
        """Since when two families of these signals are off their courses, and its bounds: the first
        one's begin, and the step by which the second one had clearly left."""
        begun: dict[str, Evidence] = {}
        for part in sorted(evidence, key=lambda part: part.since):
            begun.setdefault(part.family, part)
        if len(begun) < 2:
            return self.onset(evidence)
        first, second = list(begun.values())[:2]
        return second.since, (first.since, self._bounds(second)[1])

    def _bounds(self, part: Evidence) -> tuple[int, int]:
        """Earliest plausible begin and first clear residual; now, while there is none."""
        assert self._now is not None
        row = self._now.names.index(part.signal)
        direction = UP if part.direction == "up" else DOWN
        clear = self.latest[direction, row]
        return (
            int(self.earliest[direction, row]),
            int(clear) if math.isfinite(clear) else self._now.step,
        )

    def _part(self, now: Residuals, direction: int, row: int) -> Evidence:
        name = now.names[row]
        signal = SIGNALS[name]
        middle, spread = float(now.expected[row]), float(now.spread[row])
        return Evidence(
            signal=name,
            family=signal.family,
            since=int(self.since[direction, row]),
            observed=from_scale(signal, float(now.x[row])),
            expected=from_scale(signal, middle),
            low=from_scale(signal, middle - FAR_BEYOND * spread),
            high=from_scale(signal, middle + FAR_BEYOND * spread),
            direction="up" if direction == UP else "down",
            score=round(float(self.score[direction, row]), 2),
            bad_steps=int(self.bad[direction, row]),
            steps=int(self.steps[direction, row]),
        )

    def grow(self, names: list[str]) -> None:
        """Makes room for signals that are new. `update` does this by itself."""
        size = self.score.shape[1]
        for name in names[size:]:
            bad = SIGNALS[name].bad
            watched = np.array([[bad in ("up", "both")], [bad in ("down", "both")]])
            self._watched = np.hstack([self._watched, watched])
            for chart in ("score", "since", "earliest", "latest", "steps", "bad", "_wide"):
                fresh = np.full((2, 1), np.nan if chart == "latest" else 0.0)
                setattr(self, chart, np.hstack([getattr(self, chart), fresh]))
