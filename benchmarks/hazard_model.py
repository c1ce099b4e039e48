"""Learning the hazard model: rows at risk, nonnegative logistic regression, scores out of fold.

A row is one record of a run. Its answer for a horizon H is whether the reward begins to fall
within the next H records, or did within the last `STILL`: the first records of a fall are what
tells it from a spike (10 of them were tried, and catch fewer). A record whose run ends before H is
over counts for the part of H that it was watched. Every run weighs the same, however long it is.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from benchmarks.hazard_runs import Seen
from collapse_lab.calibration.conformal import Course
from collapse_lab.detectors.features import NAMES
from collapse_lab.detectors.frontend import Array
from collapse_lab.detectors.hazard import Hazard, Model, smoothed

HORIZONS = (10, 30, 100)
STILL = 20
PENALTY = 1.0
"""Of half the squared weights, for features of unit spread; the likelihood counts a run as one."""
STRIDE = 3
"""Every so many records are a row: neighbours say the same."""
LEAST_SPREAD = 1e-3
"""Of a feature; one that hardly moves is not blown up to unit spread."""
TOLERANCE = 1e-5
"""Relative change of the loss at which the fit ends."""
FOLDS = 3
PLACEHOLDER = -3.0
"""Limit of a model that has none yet, in log-odds; scores are multiples of it."""


def fit(runs: Sequence[Seen], without: Sequence[str] = ()) -> Model:
    """A model of these runs; features that begin with any of `without` get no weight."""
    used = np.array([not name.startswith(tuple(without) or "\0") for name in NAMES])
    found = [_logistic(*_rows(runs, horizon), used) for horizon in HORIZONS]
    weights, bias = zip(*found, strict=True)
    return Model(HORIZONS, np.array(weights), np.array(bias), PLACEHOLDER)


def scores(run: Seen, model: Model, late: int = 0) -> Array:
    """The detector's score at every record, `late` records late: for the test of leaks."""
    log_odds = model.log_odds(run.features).tolist()
    average = np.nan
    result = np.zeros(len(log_odds))
    for point in range(run.first, len(log_odds)):
        average = smoothed(log_odds[point], average)
        result[point] = model.score(average) if run.heard[point] else 0.0
    return np.concatenate([np.zeros(late), result])[: len(result)]


def course(run: Seen, model: Model, late: int = 0) -> Course:
    """The run with the model's scores beside those of the first generation."""
    highest = {**run.course.highest, Hazard.name: np.maximum.accumulate(scores(run, model, late))}
    return Course(run.name, run.group, highest)


def folds(runs: Sequence[Seen], without: Sequence[str] = ()) -> list[tuple[list[Seen], Model]]:
    """The runs that did not collapse in parts of whole groups, each with a model of the others."""
    groups = sorted({run.group for run in runs}, key=lambda group: zlib.crc32(group.encode()))
    parts: list[tuple[list[Seen], Model]] = []
    for number in range(FOLDS):
        held = set(groups[number::FOLDS])
        model = fit([run for run in runs if run.group not in held], without)
        parts.append(([run for run in runs if run.group in held and run.onset is None], model))
    return parts


def courses(parts: Sequence[tuple[Sequence[Seen], Model]], late: int = 0) -> list[Course]:
    """What limits are set by: each run scored by a model that was not fitted to it."""
    return [course(run, model, late) for some, model in parts for run in some]


def _rows(runs: Sequence[Seen], horizon: int) -> tuple[Array, NDArray[np.bool_], Array]:
    """Features, answers and weights of all rows."""
    features: list[Array] = []
    answers: list[NDArray[np.bool_]] = []
    weights: list[Array] = []
    for run in runs:
        records = len(run.steps)
        end = records if run.onset is None else min(records, run.onset + STILL)
        point = np.arange(run.first, end, STRIDE if run.onset is None else 1)
        if not len(point):
            continue
        if run.onset is None:
            answer = np.zeros(len(point), bool)
            watched = np.minimum(1.0, (records - 1 - point) / horizon)
        else:
            answer = point >= run.onset - horizon
            watched = np.ones(len(point))
        features.append(run.features[point])
        answers.append(answer)
        weights.append(watched / len(point))
    return np.concatenate(features), np.concatenate(answers), np.concatenate(weights)


def _logistic(
    features: Array, answers: NDArray[np.bool_], weights: Array, used: NDArray[np.bool_]
) -> tuple[Array, float]:
    """Weights, none negative, and bias of the penalised logistic regression."""
    spread = features.std(axis=0)
    unit = np.where(spread > LEAST_SPREAD, spread, 1.0)
    x = features / unit

    def loss(v: Array) -> tuple[float, Array]:
        odds = x @ v[:-1] + v[-1]
        value = weights @ (np.logaddexp(0, odds) - answers * odds)
        off = weights * (1 / (1 + np.exp(-odds)) - answers)
        slope = np.append(off @ x + PENALTY * v[:-1], off.sum())
        return float(value + PENALTY / 2 * v[:-1] @ v[:-1]), slope

    bounds = [(0.0, None if use else 0.0) for use in used] + [(None, None)]
    start = np.append(np.zeros(x.shape[1]), -2.0)
    found: Any = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": TOLERANCE}
    )
    return found.x[:-1] / unit, float(found.x[-1])
