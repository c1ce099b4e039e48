"""Do scores rank the records that precede a collapse above the others? By record, not by run.

Time-dependent ROC and precision-recall areas at a horizon H, cumulative and dynamic: at each
record t of a run that has not collapsed yet, a case collapses by t + H, a control is known not to.
A record whose run ends before that can be told is dropped, and those that can be told stand for
it by inverse weights of the chance of being watched so long (Uno et al. 2007; Blanche, Dartigues
and Jacqmin-Gadda 2013), a Kaplan-Meier estimate over all runs. Each run weighs the same, however
long it is.

A high area is no proof of a usable alarm: a run has hundreds of records in which to alarm wrongly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
HORIZONS = (10, 30, 100)
"""Records ahead."""


@dataclass(frozen=True, slots=True)
class Course:
    """A run's score after each of its records, and the point of its collapse, if there was one.

    A score that is not yet known is -infinity.
    """

    scores: Array
    collapse: int | None = None

    def delayed(self, by: int) -> Course:
        """The same scores so many records late."""
        late = np.concatenate([np.full(by, -np.inf), self.scores])[: len(self.scores)]
        return Course(late, self.collapse)


@dataclass(frozen=True, slots=True)
class Rows:
    """Records at risk: the run each is of, its score, whether it is a case, its weight."""

    run: NDArray[np.int64]
    score: Array
    case: NDArray[np.bool_]
    weight: Array

    @property
    def prevalence(self) -> float:
        """Weighted share of the cases, which is the precision of a score that knows nothing; NaN
        of no rows."""
        total = self.weight.sum()
        return float(self.weight[self.case].sum() / total) if total else math.nan


def watched(courses: Sequence[Course]) -> Array:
    """Chance that a run is still watched after point u, for u = 0, 1, ... (Kaplan-Meier).

    What ends a watch is the end of the log of a run that has not collapsed; a run that has is no
    longer at risk of it.
    """
    length = max((len(run.scores) for run in courses), default=0)
    ended = np.zeros(length + 1)
    at_risk = np.zeros(length + 1)
    for run in courses:
        last = len(run.scores) if run.collapse is None else run.collapse
        at_risk[: last + 1] += 1
        if run.collapse is None:
            ended[last] += 1
    left = np.where(at_risk > 0, 1 - ended / np.maximum(at_risk, 1), 0.0)
    return np.multiply.accumulate(left)


def rows(courses: Sequence[Course], horizon: int) -> Rows:
    """The records at risk whose case can be told, weighted."""
    chance = watched(courses)
    parts: list[tuple[NDArray[np.int64], Array, NDArray[np.bool_], Array]] = []
    for index, run in enumerate(courses):
        length = len(run.scores)
        end = length if run.collapse is None else run.collapse
        collapse = math.inf if run.collapse is None else run.collapse
        point = np.arange(min(end, len(chance) - horizon))
        until = chance[point + horizon]
        case = collapse <= point + horizon
        control = ~case & ((point + horizon < length) | math.isfinite(collapse))
        told = (case | control) & (until > 0)
        seen_until = until if run.collapse is None else np.where(case, chance[run.collapse], until)
        weight = chance[point[told]] / seen_until[told]
        count = max(1, int(told.sum()))
        parts.append(
            (
                np.full(int(told.sum()), index),
                run.scores[point[told]],
                case[told],
                weight / count,
            )
        )
    if not parts:
        return Rows(np.array([], np.int64), np.array([]), np.array([], np.bool_), np.array([]))
    run, score, case, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Rows(run, score, case, weight)


@dataclass(frozen=True, slots=True)
class Ranking:
    """Rows in classes of equal score, so that areas under other weights (of resampled runs) are
    cheap."""

    rows: Rows
    place: NDArray[np.int64]
    """Rank of each row's score, equal ones sharing a rank."""

    @classmethod
    def of(cls, rows: Rows) -> Ranking:
        _, place = np.unique(rows.score, return_inverse=True)
        return cls(rows, place)

    def areas(self, times: NDArray[np.int64] | None = None) -> tuple[float, float]:
        """(area under ROC, area under precision-recall), each run counting so many `times`.

        Equal scores count half in the first, and are one threshold in the second, which is
        average precision. NaN without cases or without controls.
        """
        rows = self.rows
        weight = rows.weight if times is None else rows.weight * times[rows.run]
        classes = int(self.place.max()) + 1 if self.place.size else 0
        case = np.bincount(self.place, weight * rows.case, classes)
        control = np.bincount(self.place, weight * ~rows.case, classes)
        cases, controls = case.sum(), control.sum()
        if not cases or not controls:
            return math.nan, math.nan
        below = np.cumsum(control) - control
        roc = float((case * (below + control / 2)).sum() / (cases * controls))
        true, false = np.cumsum(case[::-1]), np.cumsum(control[::-1])
        alarmed = true + false
        precision = np.divide(true, alarmed, out=np.zeros_like(true), where=alarmed > 0)
        return roc, float((precision * case[::-1]).sum() / cases)
