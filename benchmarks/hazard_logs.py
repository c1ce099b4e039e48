"""The hazard model on the real logs, none of which it was fitted to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.cache import cached
from benchmarks.corpus import LabelledLog, load
from benchmarks.hazard_model import scores
from benchmarks.hazard_runs import CODE, see
from benchmarks.judge import prior_without
from collapse_lab import scoring
from collapse_lab.corpus import FACTS, UNKNOWN, CorpusRun
from collapse_lab.detectors.hazard import Hazard, Model
from collapse_lab.labels import label_run
from collapse_lab.scoring import ScoredRun
from collapse_lab.scoring.markdown import share, table_of

HEADER = ("logs", "method", "healthy alarmed", "before the fall", "before half was lost")
FIRST, BOTH = "first generation", "both"


def table(model: Model) -> str:
    """Shipped limits, since these logs are longer than the runs that others could be taken from."""
    logs = [log for log in load() if not log.problem]
    alarms = [_alarms(log, model, logs) for log in logs]
    rows: list[list[str]] = []
    for family in ("llm", "control"):
        some = [(log, at) for log, at in zip(logs, alarms, strict=True) if log.family == family]
        rows += [[family, method, *_scores(some, method)] for method in (FIRST, Hazard.name, BOTH)]
    return table_of(HEADER, rows)


def _alarms(log: LabelledLog, model: Model, logs: Sequence[LabelledLog]) -> dict[str, float]:
    """Method -> the first point at which it reaches its limit, infinite when it never does."""
    facts: dict[str, str] = dict.fromkeys(FACTS, UNKNOWN)
    run = CorpusRun(log.file, log.records, label_run(log.records), facts, log.repository)
    prior = prior_without(log.repository, logs)
    key = ("hazard", CODE, prior.to_json(), *log.key)
    seen = cached(key, lambda: see(run, "real logs", prior))
    own = scores(seen, model)
    first = min(_reached(highest) for highest in seen.course.highest.values())
    return {FIRST: first, Hazard.name: _reached(own), BOTH: min(first, _reached(own))}


def _reached(scores: np.ndarray) -> float:
    points = np.flatnonzero(scores >= 1)
    return float(points[0]) if len(points) else math.inf


def _scores(logs: Sequence[tuple[LabelledLog, Mapping[str, float]]], method: str) -> list[str]:
    def runs(where: str) -> list[ScoredRun]:
        result: list[ScoredRun] = []
        for log, at in logs:
            steps = [record.step for record in log.records]
            alarms = [int(at[method])] if math.isfinite(at[method]) else []
            point = getattr(log, where)
            if log.healthy or point is not None:
                result.append(ScoredRun(steps, alarms, None if log.healthy else point))
        return result

    return [
        share(scoring.healthy_false_alarm(runs("collapse"))),
        share(scoring.recall(runs("onset"))),
        share(scoring.recall(runs("collapse"))),
    ]
