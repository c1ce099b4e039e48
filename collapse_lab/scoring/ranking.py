"""Do scores rank the records that precede a collapse above the others? By record, not by run.

Time-dependent ROC and precision-recall areas at a horizon H, cumulative and dynamic: at each
record t of a run that has not collapsed yet, a case collapses by t + H, a control is known not to.
A record whose run ends before that can be told is dropped, and those that can be told stand for
it by inverse weights of the chance of being watched so long (Uno et al. 2007; Blanche, Dartigues
and Jacqmin-Gadda 2013), a Kaplan-Meier estimate over all runs. Each run weighs the same, however
long it is.

Over all records an area also rewards a score that merely knows how long a run has been going on, if
collapses come early or late. So there is a second one in which each case is ranked among the
controls at the same record only: there a clock has one half.

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
    """Records at risk: the run and the point each is at, its score, whether it is a case, its
    weight."""

    run: NDArray[np.int64]
    point: NDArray[np.int64]
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
    parts: list[Rows] = []
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
        point = point[told]
        weight = chance[point] / seen_until[told] / max(1, len(point))
        of = np.full(len(point), index)
        parts.append(Rows(of, point, run.scores[point], case[told], weight))
    if not parts:
        nothing, none = np.array([], np.int64), np.array([])
        return Rows(nothing, nothing, none, np.array([], np.bool_), none)
    return Rows(
        np.concatenate([part.run for part in parts]),
        np.concatenate([part.point for part in parts]),
        np.concatenate([part.score for part in parts]),
        np.concatenate([part.case for part in parts]),
        np.concatenate([part.weight for part in parts]),
    )


@dataclass(frozen=True, slots=True)
class Areas:
    """Under the ROC curve over all records; over cases and controls at the same record; and under
    the precision-recall curve. NaN without cases or controls."""

    roc: float
    roc_at_same_record: float
    precision_recall: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Rows in classes of equal score, so that areas under other weights (of resampled runs) are
    cheap."""

    rows: Rows
    place: NDArray[np.int64]
    """Rank of each row's score, equal ones sharing a rank."""
    place_at_record: NDArray[np.int64]
    """The same by record first, then by score."""
    record: NDArray[np.int64]
    """Of each such class."""

    @classmethod
    def of(cls, rows: Rows) -> Ranking:
        _, place = np.unique(rows.score, return_inverse=True)
        classes = int(place.max()) + 1 if place.size else 1
        found, place_at_record = np.unique(rows.point * classes + place, return_inverse=True)
        return cls(rows, place, place_at_record, found // classes)

    def areas(self, times: NDArray[np.int64] | None = None) -> Areas:
        """Each run counting so many `times`.

        Equal scores count half under the ROC, and are one threshold under precision-recall, which
        is average precision.
        """
        weight = self.rows.weight if times is None else self.rows.weight * times[self.rows.run]
        case, control = self._by_class(self.place, weight)
        cases, controls = case.sum(), control.sum()
        if not cases or not controls:
            return Areas(math.nan, math.nan, math.nan)
        below = np.cumsum(control) - control / 2
        roc = float((case * below).sum() / (cases * controls))
        true, false = np.cumsum(case[::-1]), np.cumsum(control[::-1])
        precision = true / np.maximum(true + false, np.finfo(float).tiny)
        average_precision = float((precision * case[::-1]).sum() / cases)
        return Areas(roc, self._at_same_record(weight), average_precision)

    def _at_same_record(self, weight: Array) -> float:
        """Mean over the cases of the share of the controls at their record that rank below."""
        case, control = self._by_class(self.place_at_record, weight)
        upto = np.cumsum(control)
        at_record = np.bincount(self.record, control)
        before = (np.cumsum(at_record) - at_record)[self.record]
        here = at_record[self.record]
        met = np.where(here > 0, case, 0.0)
        below = (upto - control / 2 - before) / np.where(here > 0, here, 1.0)
        return float((met * below).sum() / met.sum()) if met.any() else math.nan

    def _by_class(self, place: NDArray[np.int64], weight: Array) -> tuple[Array, Array]:
        """Weight of the cases and of the controls in each class."""
        classes = int(place.max()) + 1 if place.size else 0
        case = np.bincount(place, np.where(self.rows.case, weight, 0.0), classes)
        control = np.bincount(place, np.where(self.rows.case, 0.0, weight), classes)
        return case.astype(float), control.astype(float)
