"""A corpus, judged: where each tier alarmed in every run.

Healthy are the runs that did not collapse after having learned something, dips included; runs
that never learned are counted apart, and runs cut short in the middle of a fall not at all. Early
is before the onset, where hindsight sees the fall of the reward begin.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from collapse_lab import scoring
from collapse_lab.calibration import conformal
from collapse_lab.corpus import CorpusRun
from collapse_lab.detectors.limits import Limits
from collapse_lab.detectors.panel import Panel
from collapse_lab.detectors.reward_drop import RewardDrop
from collapse_lab.labels import COLLAPSED
from collapse_lab.records import Alarm, Severity
from collapse_lab.scoring import LATE, ScoredRun, chance

HEALTHY = ("healthy", "healthy_with_dip")
TIERS: dict[str, tuple[Severity, ...]] = {
    "critical": ("critical",),
    "alarm or above": ("alarm", "critical"),
    "alarm or above, reward aside": ("alarm", "critical"),
    "watch or above": ("watch", "alarm", "critical"),
}
REWARD_ASIDE = "reward aside"
"""A row that ends so leaves out the detector that waits for the reward to fall."""
ALARM = "alarm or above"
CALIBRATED_ROW = ", calibrated"
"""A row that ends so has calibrated limits."""


@dataclass(frozen=True, slots=True)
class JudgedRun:
    """`onset` and `cross` are points (indices of records), None in a run that did not collapse.
    `raised` holds (point, severity, detector) of every alarm, in order. `traces` are the detectors'
    scores after every record, whatever the limits, and `chances` (by detector and horizon) what
    some of them give a collapse within so many records, where they were asked for. `made` is when
    the run began, in unix seconds, NaN where nothing says."""

    name: str
    kind: str
    group: str
    facts: Mapping[str, str]
    steps: Sequence[int]
    onset: int | None
    cross: int | None
    raised: Sequence[tuple[int, Severity, str]]
    traces: Mapping[str, NDArray[np.float64]] = field(
        default_factory=dict[str, NDArray[np.float64]]
    )
    chances: Mapping[str, Mapping[int, NDArray[np.float64]]] = field(
        default_factory=dict[str, dict[int, NDArray[np.float64]]]
    )
    made: float = math.nan

    def alarms(self, tier: str) -> list[int]:
        """Points at which a row of `TIERS` alarmed."""
        return [
            point
            for point, severity, detector in self.raised
            if severity in TIERS[tier]
            and not (tier.endswith(REWARD_ASIDE) and detector.endswith(RewardDrop.name))
        ]

    def raised_by(self, detector: str) -> list[int]:
        """Points at which one detector spoke, in whatever tier."""
        return [point for point, _, name in self.raised if name == detector]


def judge(run: CorpusRun, limits: Limits | None = None) -> JudgedRun:
    """Runs the detectors over a run as if it were live."""
    return told(run, raised_in(run, limits))


def raised_in(run: CorpusRun, limits: Limits | None = None) -> list[tuple[int, Alarm]]:
    """Every alarm of a run with the point at which it is raised, in order."""
    panel = Panel(run.planned_steps, limits=limits, config=run.config)
    return [
        (point, alarm) for point, record in enumerate(run.records) for alarm in panel.update(record)
    ]


def told(run: CorpusRun, raised: Sequence[tuple[int, Alarm]]) -> JudgedRun:
    """A run in which these alarms were raised."""
    steps = [record.step for record in run.records]
    collapsed = run.label.kind in COLLAPSED
    onset, cross = (
        scoring.point_of(steps, step) if collapsed and step is not None else None
        for step in (run.label.onset, run.label.cross)
    )
    return JudgedRun(
        run.name,
        run.label.kind,
        run.group,
        run.facts,
        steps,
        onset,
        cross,
        tuple((point, alarm.severity, alarm.detector) for point, alarm in raised),
        made=run.made,
    )


def judge_all(
    runs: Iterable[CorpusRun], limits: Limits | None = None, jobs: int = 1
) -> Iterator[tuple[JudgedRun, JudgedRun | None]]:
    """Each run as the shipped limits judge it, with its traces, and as `limits` do; in order.

    Few runs are held at a time, however long the corpus. The processes are fresh ones, because
    the reader of Parquet has threads that a copy of this one would lack.
    """
    if jobs == 1:
        for run in runs:
            yield _judge_both(run, limits)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting: deque[Future[tuple[JudgedRun, JudgedRun | None]]] = deque()
        for run in runs:
            waiting.append(pool.submit(_judge_both, run, limits))
            if len(waiting) > 4 * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _judge_both(run: CorpusRun, limits: Limits | None) -> tuple[JudgedRun, JudgedRun | None]:
    seen = conformal.traces(run)
    shipped = replace(judge(run), traces=seen.scores, chances=seen.chances)
    return shipped, judge(run, limits) if limits else None


Rule = Callable[[JudgedRun], Sequence[int]]
"""From a judged run to the points at which a detector alarmed in it."""


def counts(run: JudgedRun) -> bool:
    """Whether a run is healthy or collapsed, and so counts."""
    return run.kind in HEALTHY or run.onset is not None


def scored(run: JudgedRun, rule: Rule) -> ScoredRun:
    """A run with a rule's alarms, to be early for its onset."""
    return ScoredRun(run.steps, rule(run), run.onset, run.kind == "slow_decay")


def rules(of: str = "") -> dict[str, Rule]:
    """Row name -> rule, for every tier; `of` is added to the names."""
    return {tier + of: lambda run, tier=tier: run.alarms(tier) for tier in TIERS}


def references() -> dict[str, Rule]:
    """The rows that know nothing, and the alarm tier ten records late."""

    def blind(change: Callable[[ScoredRun], ScoredRun]) -> Rule:
        return lambda run: change(ScoredRun(run.steps, run.alarms(ALARM))).alarms

    return {
        "never": blind(chance.never),
        "always": blind(chance.always),
        f"every {chance.PERIOD} records": blind(chance.periodic),
        f"{ALARM}, {LATE} records late": blind(lambda run: chance.delayed(run, LATE)),
    }


def by_fact(runs: Sequence[JudgedRun], fact: str) -> Iterator[tuple[str, list[JudgedRun]]]:
    """The runs of each value of a fact, healthy runs beside every kind of failure."""
    failing = fact == "failure"
    values = {run.facts[fact] for run in runs if not failing or run.onset is not None}
    for value in sorted(values):
        yield (
            value,
            [run for run in runs if run.facts[fact] == value or (failing and run.kind in HEALTHY)],
        )
