"""A corpus, judged: where each tier alarmed in every run, and every score of detection.

Healthy are the runs that did not collapse after having learned something, dips included; runs
that never learned are counted apart, and runs cut short in the middle of a fall not at all. Early
is before the onset, where hindsight sees the fall of the reward begin.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collapse_lab import scoring
from collapse_lab.corpus import CorpusRun
from collapse_lab.detectors.limits import Limits
from collapse_lab.detectors.panel import Panel
from collapse_lab.detectors.reward_drop import RewardDrop
from collapse_lab.records import Severity
from collapse_lab.scoring import ScoredRun, Share, chance, usual_horizon
from collapse_lab.scoring.resampling import bootstrap, interval

COLLAPSED = ("collapse", "slow_decay", "hard_fail")
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
LATE = 10
PREVALENCES = (0.1, 0.3)


@dataclass(frozen=True, slots=True)
class JudgedRun:
    """`onset` and `cross` are points (indices of records), None in a run that did not collapse.
    `raised` holds (point, severity, detector) of every alarm, in order."""

    name: str
    kind: str
    group: str
    facts: Mapping[str, str]
    steps: Sequence[int]
    onset: int | None
    cross: int | None
    raised: Sequence[tuple[int, Severity, str]]

    def alarms(self, tier: str) -> list[int]:
        """Points at which a row of `TIERS` alarmed."""
        return [
            point
            for point, severity, detector in self.raised
            if severity in TIERS[tier]
            and not (tier.endswith(REWARD_ASIDE) and detector.endswith(RewardDrop.name))
        ]


def judge(run: CorpusRun, limits: Limits | None = None) -> JudgedRun:
    """Runs the detectors over a run as if it were live."""
    panel = Panel(planned_steps=run.planned_steps, limits=limits)
    raised: list[tuple[int, Severity, str]] = [
        (point, alarm.severity, alarm.detector)
        for point, record in enumerate(run.records)
        for alarm in panel.update(record)
    ]
    steps = [record.step for record in run.records]
    collapsed = run.label.kind in COLLAPSED
    onset, cross = (
        scoring.point_of(steps, step) if collapsed and step is not None else None
        for step in (run.label.onset, run.label.cross)
    )
    return JudgedRun(
        run.name, run.label.kind, run.group, run.facts, steps, onset, cross, tuple(raised)
    )


@dataclass(frozen=True, slots=True)
class Scores:
    """One detector's scores over the runs that are healthy or collapsed; see `scoring`.

    Leads are in records before the onset. `intervals` are bootstrap 95 % intervals over groups.
    `chance` is what the same alarms score when dealt to runs at random, with the share of deals
    that did as well.
    """

    healthy_alarmed: Share
    dips_alarmed: Share
    never_learned_alarmed: Share
    alarms_per_thousand: float
    early: Share
    late: Share
    by_crossing: Share
    premature: Share
    lead: tuple[float, float, float]
    expected_lead: float
    lead_recall: Mapping[float, Share]
    saved: float
    lost: float
    intervals: Mapping[str, tuple[float, float]] = field(
        default_factory=dict[str, tuple[float, float]]
    )
    chance: tuple[float, float] = (math.nan, math.nan)

    def precision(self, prevalence: float) -> float:
        """Share of runs alarmed on by the onset + 10 that collapse, at this prevalence."""
        return scoring.precision(self.late.value, self.healthy_alarmed.value, prevalence)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; what is undefined is null."""
        return {
            "healthy_alarmed": _share(self.healthy_alarmed) | {"at_most": self._at_most},
            "dips_alarmed": _share(self.dips_alarmed),
            "never_learned_alarmed": _share(self.never_learned_alarmed),
            "alarms_per_1000_healthy_records": _number(self.alarms_per_thousand),
            "early_recall": _share(self.early),
            "recall_10_later": _share(self.late),
            "recall_by_crossing": _share(self.by_crossing),
            "premature": _share(self.premature),
            "lead_quartiles": [_number(lead) for lead in self.lead],
            "expected_lead": _number(self.expected_lead),
            "lead_recall": {str(lead): _share(part) for lead, part in self.lead_recall.items()},
            "compute_saved": _number(self.saved),
            "compute_lost": _number(self.lost),
            "precision": {str(p): _number(self.precision(p)) for p in PREVALENCES},
            "bootstrap": {name: list(map(_number, ends)) for name, ends in self.intervals.items()},
            "chance_early_recall": _number(self.chance[0]),
            "chance_does_as_well": _number(self.chance[1]),
        }

    @property
    def _at_most(self) -> float | None:
        return _number(self.healthy_alarmed.upper())


Rule = Callable[[JudgedRun], Sequence[int]]
"""From a judged run to the points at which a detector alarmed in it."""


def scores(runs: Sequence[JudgedRun], rule: Rule, deals: int = chance.DEALS) -> Scores:
    """Every score of one detector."""
    counted = [run for run in runs if counts(run)]
    to_onset = [scored(run, rule) for run in counted]
    to_cross = [ScoredRun(run.steps, rule(run), run.cross) for run in counted]
    values = outcomes(to_onset)
    means = bootstrap(values, [run.group for run in counted])
    names = ("healthy_alarmed", "early_recall", "recall_10_later")
    return Scores(
        healthy_alarmed=scoring.healthy_false_alarm(to_onset),
        dips_alarmed=_alarmed(runs, rule, "healthy_with_dip"),
        never_learned_alarmed=_alarmed(runs, rule, "never_learned"),
        alarms_per_thousand=scoring.false_alarms_per_thousand(to_onset),
        early=scoring.early_recall(to_onset),
        late=scoring.late_recall(to_onset, LATE),
        by_crossing=scoring.recall(to_cross),
        premature=scoring.premature(to_onset),
        lead=scoring.early_leads(to_onset, least=1, horizon=usual_horizon),
        expected_lead=scoring.expected_lead(to_onset, horizon=usual_horizon),
        lead_recall=scoring.lead_recall(to_onset, horizon=usual_horizon),
        saved=scoring.compute_saved(to_onset),
        lost=scoring.compute_lost(to_onset),
        intervals={name: interval(means[:, column]) for column, name in enumerate(names)},
        chance=chance.by_chance(to_onset, lambda some: scoring.early_recall(some).value, deals),
    )


def counts(run: JudgedRun) -> bool:
    """Whether a run is healthy or collapsed, and so counts."""
    return run.kind in HEALTHY or run.onset is not None


def scored(run: JudgedRun, rule: Rule) -> ScoredRun:
    """A run with a rule's alarms, to be early for its onset."""
    return ScoredRun(run.steps, rule(run), run.onset, run.kind == "slow_decay")


def outcomes(runs: Sequence[ScoredRun]) -> NDArray[np.float64]:
    """(runs, 3): was a healthy run alarmed on, was a collapse caught early, was it by ten later;
    NaN where the question is not about the run."""
    return np.array(
        [
            (bool(run.alarms), math.nan, math.nan)
            if run.collapse is None
            else (
                math.nan,
                scoring.caught_early(run, 1, usual_horizon),
                scoring.caught_early(run, -LATE, usual_horizon),
            )
            for run in runs
        ],
        float,
    ).reshape(-1, 3)


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


def difference(
    first: Sequence[ScoredRun], second: Sequence[ScoredRun], groups: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Paired bootstrap 95 % intervals of first minus second, for the columns of `outcomes`."""
    means = bootstrap(np.hstack([outcomes(first), outcomes(second)]), groups)
    names = ("healthy_alarmed", "early_recall", "recall_10_later")
    return {
        name: interval(means[:, column] - means[:, column + 3]) for column, name in enumerate(names)
    }


def _alarmed(runs: Sequence[JudgedRun], rule: Rule, kind: str) -> Share:
    some = [run for run in runs if run.kind == kind]
    return Share(sum(bool(rule(run)) for run in some), len(some))


def _share(part: Share) -> dict[str, Any]:
    low, high = part.interval
    return {"hits": part.hits, "of": part.of, "wilson": [_number(low), _number(high)]}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
