"""The causal front end: the next value of a signal against what its past leads one to expect.

Each signal is put on the scale on which healthy variation is about even (log, logit), predicted
from a reference window of its own past that ends a gap before now, and divided by the spread of
a healthy step. The spread starts from the population prior and shrinks towards the run's own, so
that a run of forty records is judged too. The residuals are then whitened against their own
autocorrelation. All rows of one step are computed together with numpy.

Formulas: robust line by Theil-Sen over block medians; spread by the median absolute deviation;
autocorrelation by the arcsine law of signs, rho = sin(pi/2 E[sign(z_t z_{t-1})]).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from collapse_lab.detectors.prior import Prior
from collapse_lab.detectors.scale import JUDGED, to_scale
from collapse_lab.records import Record
from collapse_lab.signals import SIGNALS

Array = NDArray[np.float64]

WINDOW, GAP = 64, 16
"""Reference window and gap in records; a quarter of the history while that is shorter."""
BLOCKS = 6
DAMPING = 0.5
"""How much of the reference's trend is believed beyond its end."""
MIN_POINTS, MIN_POINTS_ALONE = 5, 16
"""Records before a signal is judged: with a population prior, and without. Sixteen are the first
whose reference is wide enough for a line: with a level alone every warm-up is a deviation."""
WARMUP_STEPS = 20
"""Training steps before a signal is judged, unless MIN_POINTS_ALONE records came first."""
RHO_PRIOR, RHO_WEIGHT, RHO_MEMORY, RHO_MAX = 0.4, 20.0, 100.0, 0.9
CLIP_PREVIOUS = 4.0
"""A single spike must not make the step after it look extreme in the other direction."""
SPIKE = 5.0
SCALE_FLOOR = {"log": 0.05, "logit": 0.25, "identity": 1e-9}
"""Changes below this (5 %, a quarter of a percent of the share at its edge) are never news."""
EXCUSED_STEPS = 20
"""Training steps after a restart whose residuals are not judged."""


@dataclass(slots=True)
class Residuals:
    """One step through the front end; arrays are aligned with `names`, one entry a judged signal.

    `x`, `expected` and `spread` are on the signal's scale; `u` is the whitened residual, NaN
    where the signal is absent, not a number, or still warming up.
    """

    step: int
    names: list[str]
    x: Array
    expected: Array
    spread: Array
    u: Array


@dataclass(slots=True)
class FrontEnd:
    """Records -> whitened residuals, one step at a time.

    Judges every signal of the vocabulary that has a bad direction and is not a reward. A signal
    may appear late or skip steps: its history counts the records in which it was a number.
    """

    prior: Prior
    names: list[str] = field(default_factory=list[str])
    _rows: dict[str, int] = field(default_factory=dict[str, int])
    _history: Array = field(default_factory=lambda: np.empty((0, WINDOW + GAP)))
    _count: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    _first_step: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    _previous: Array = field(default_factory=lambda: np.empty(0))
    _sign_sum: Array = field(default_factory=lambda: np.empty(0))
    _sign_weight: Array = field(default_factory=lambda: np.empty(0))
    _prior_scale: Array = field(default_factory=lambda: np.empty(0))
    _prior_strength: Array = field(default_factory=lambda: np.empty(0))
    _floor: Array = field(default_factory=lambda: np.empty(0))

    def update(self, record: Record) -> Residuals:
        """Residuals of this record against the records before it."""
        x = self._read(record)
        size = len(self.names)
        expected, spread, z = (np.full(size, np.nan) for _ in range(3))
        present = np.isfinite(x)
        enough = np.where(self._prior_strength > 0, MIN_POINTS, MIN_POINTS_ALONE)
        warm = (record.step - self._first_step >= WARMUP_STEPS) | (self._count >= MIN_POINTS_ALONE)
        ready = present & warm & (self._count >= enough)
        seen = np.minimum(self._count, WINDOW + GAP)  # beyond that, signals share their windows
        for count in np.unique(seen[ready]):
            rows = np.flatnonzero(ready & (seen == count))
            gap = min(GAP, int(count) // 4)
            width = min(WINDOW, int(count) - gap)
            end = self._history.shape[1] - gap
            level, scatter = _predict(self._history[rows, end - width : end], gap)
            scale = self._scale(rows, scatter)
            scale *= math.sqrt(1 + 1.57 / width)  # variance of the median that predicts
            expected[rows], spread[rows] = level, scale
            z[rows] = (x[rows] - level) / scale
        u = self._whiten(z)
        rows = np.flatnonzero(present)
        self._history[rows, :-1] = self._history[rows, 1:]
        self._history[rows, -1] = x[rows]
        self._count[rows] += 1
        return Residuals(record.step, self.names, x, expected, spread, u)

    def _scale(self, rows: NDArray[np.int64], scatter: Array) -> Array:
        """Healthy spread from the prior and the run's own detrended scatter, (rows, width).

        Twice, so that a run which spikes now and then is allowed its spikes: first by the median
        absolute deviation, then by the mean square of the scatter cut at five of those.
        """
        width = scatter.shape[1]
        weight = self._prior_strength[rows]
        known = weight * self._prior_scale[rows] ** 2
        own = 1.4826 * _median(np.abs(scatter))
        floor = np.maximum(self._floor[rows], self._prior_scale[rows] / 4)
        scale = np.maximum(np.sqrt((known + width * own**2) / (weight + width)), floor)
        cut = np.clip(scatter, -SPIKE * scale[:, None], SPIKE * scale[:, None])
        own_square = np.maximum(own**2, np.mean(cut**2, axis=1))
        return np.maximum(np.sqrt((known + width * own_square) / (weight + width)), floor)

    def _read(self, record: Record) -> Array:
        for name in record.values:
            if name not in self._rows and name in JUDGED:
                self._add(name, record.step)
        x = np.full(len(self.names), np.nan)
        for name, value in record.values.items():
            if (row := self._rows.get(name)) is not None:
                x[row] = to_scale(SIGNALS[name], value)
        return x

    def _add(self, name: str, step: int) -> None:
        self._rows[name] = len(self.names)
        self.names = [*self.names, name]
        known = self.prior.get(name)
        self._history = np.vstack([self._history, np.full((1, WINDOW + GAP), np.nan)])
        self._count = np.append(self._count, 0)
        self._first_step = np.append(self._first_step, step)
        self._previous = np.append(self._previous, np.nan)
        self._sign_sum = np.append(self._sign_sum, 0.0)
        self._sign_weight = np.append(self._sign_weight, 0.0)
        self._prior_scale = np.append(self._prior_scale, known.scale if known else 0.0)
        self._prior_strength = np.append(self._prior_strength, known.strength if known else 0.0)
        self._floor = np.append(self._floor, SCALE_FLOOR[SIGNALS[name].transform])

    def _whiten(self, z: Array) -> Array:
        """u_t = (z_t - rho z_{t-1}) / sqrt(1 - rho^2), with rho learned online per signal."""
        both = np.isfinite(z) & np.isfinite(self._previous)
        mean_sign = (self._sign_sum + RHO_WEIGHT * (2 / math.pi) * math.asin(RHO_PRIOR)) / (
            self._sign_weight + RHO_WEIGHT
        )
        rho = np.clip(np.sin(math.pi / 2 * mean_sign), 0.0, RHO_MAX)
        last = np.clip(self._previous, -CLIP_PREVIOUS, CLIP_PREVIOUS)
        u = np.where(both, (z - rho * last) / np.sqrt(1 - rho**2), z)
        keep = 1 - 1 / RHO_MEMORY
        sign = np.sign(z[both] * self._previous[both])
        self._sign_sum[both] = keep * self._sign_sum[both] + sign
        self._sign_weight[both] = keep * self._sign_weight[both] + 1
        self._previous = np.where(np.isfinite(z), z, self._previous)
        return u


def _predict(reference: Array, gap: int) -> tuple[Array, Array]:
    """Level expected `gap` records after a (rows, width) reference, and its detrended scatter."""
    width = reference.shape[1]
    size = width // BLOCKS
    if size < 2:
        level = _median(reference)
        return level, reference - level[:, None]
    used = reference[:, width - BLOCKS * size :]
    blocks = _median(used.reshape(len(used), BLOCKS, size))
    low, high = np.triu_indices(BLOCKS, 1)
    slope = _median((blocks[:, high] - blocks[:, low]) / ((high - low) * size))
    position: Array = np.arange(BLOCKS * size, dtype=float) - (BLOCKS * size - 1) / 2
    center = np.median(
        blocks - slope[:, None] * position.reshape(BLOCKS, size).mean(axis=1), axis=1
    )
    detrended = used - center[:, None] - slope[:, None] * position
    ahead = DAMPING * slope * (position[-1] + gap + 1)
    return center + ahead, detrended


def _median(x: Array) -> Array:
    """Median over the last axis; several times faster than numpy's on rows this short."""
    ordered = np.sort(x, axis=-1)
    last = x.shape[-1] - 1
    return (ordered[..., last // 2] + ordered[..., (last + 1) // 2]) / 2
