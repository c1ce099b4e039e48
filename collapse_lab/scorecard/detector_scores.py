"""Every score of one detector over a judged corpus."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collapse_lab import scoring
from collapse_lab.scorecard.judged import JudgedRun, Rule, counts, scored
from collapse_lab.scoring import LATE, AtRandom, ScoredRun, Share, chance, usual_horizon
from collapse_lab.scoring.resampling import bootstrap, interval, jackknife

PREVALENCES = (0.1, 0.3)
OUTCOMES = ("healthy_alarmed", "early_recall", "recall_10_later")
"""The columns of `outcomes`."""
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Scores:
    """One detector's scores over the runs that are healthy or collapsed; see `scoring`.

    Leads are in records before the onset. `rearmed` is early recall and `rearmed_late` recall ten
    records later, if a premature alarm is forgiven. `intervals` are bootstrap 95 % intervals over
    groups, `without_a_group` how far a score moves when any one group is left out. `chance` and
    `late_chance` are what the same alarms score (early, and by ten later) when dealt to runs at
    random, with the share of deals that did as well. `at_random` is what alarms at random times
    score that alarm on as many healthy runs, by the name of the field.
    """

    healthy_alarmed: Share
    dips_alarmed: Share
    never_learned_alarmed: Share
    alarms_per_thousand: float
    time_in_warning: float
    early: Share
    late: Share
    rearmed: Share
    rearmed_late: Share
    by_crossing: Share
    premature: Share
    lead: tuple[float, float, float]
    expected_lead: float
    lead_recall: Mapping[float, Share]
    saved: float
    lost: float
    intervals: Mapping[str, Interval] = field(default_factory=dict[str, Interval])
    without_a_group: Mapping[str, Interval] = field(default_factory=dict[str, Interval])
    chance: tuple[float, float] = (math.nan, math.nan)
    late_chance: tuple[float, float] = (math.nan, math.nan)
    at_random: Mapping[str, AtRandom] = field(default_factory=dict[str, AtRandom])

    @property
    def prevalence(self) -> float:
        """Share of the corpus's runs that collapsed."""
        return Share(self.late.of, self.late.of + self.healthy_alarmed.of).value

    def precision(self, prevalence: float) -> float:
        """Share of the first alarms up to the onset + 10 that are right, at this prevalence."""
        return scoring.precision(
            self.late.value, self.premature.value, self.healthy_alarmed.value, prevalence
        )

    def net_benefit(self, prevalence: float, ratio: float) -> float:
        """The decision curve: see `scoring.net_benefit`. In time is by the onset + 10."""
        return scoring.net_benefit(
            self.late.value, self.premature.value, self.healthy_alarmed.value, prevalence, ratio
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; what is undefined is null."""
        at_most = {"at_most": number(self.healthy_alarmed.upper())}
        return {
            "healthy_alarmed": _share(self.healthy_alarmed) | at_most,
            "dips_alarmed": _share(self.dips_alarmed),
            "never_learned_alarmed": _share(self.never_learned_alarmed),
            "alarms_per_1000_healthy_records": number(self.alarms_per_thousand),
            "time_in_warning": number(self.time_in_warning),
            "early_recall": _share(self.early),
            "recall_10_later": _share(self.late),
            "early_recall_rearmed": _share(self.rearmed),
            "recall_10_later_rearmed": _share(self.rearmed_late),
            "recall_by_crossing": _share(self.by_crossing),
            "premature": _share(self.premature),
            "lead_quartiles": [number(lead) for lead in self.lead],
            "expected_lead": number(self.expected_lead),
            "lead_recall": {str(lead): _share(part) for lead, part in self.lead_recall.items()},
            "compute_saved": number(self.saved),
            "compute_lost": number(self.lost),
            "prevalence": number(self.prevalence),
            "precision": {
                "corpus": number(self.precision(self.prevalence)),
                **{str(p): number(self.precision(p)) for p in PREVALENCES},
            },
            "net_benefit": {
                str(p): {str(r): number(self.net_benefit(p, r)) for r in scoring.COST_RATIOS}
                for p in PREVALENCES
            },
            "bootstrap": {name: list(map(number, ends)) for name, ends in self.intervals.items()},
            "without_a_group": {
                name: list(map(number, ends)) for name, ends in self.without_a_group.items()
            },
            "chance_early_recall": number(self.chance[0]),
            "chance_does_as_well": number(self.chance[1]),
            "chance_recall_10_later": number(self.late_chance[0]),
            "chance_does_as_well_10_later": number(self.late_chance[1]),
            "at_random_times": {
                name: {"share": number(one.share), "does_as_well": number(one.as_well)}
                for name, one in self.at_random.items()
            },
        }


def scores(runs: Sequence[JudgedRun], rule: Rule, deals: int = chance.DEALS) -> Scores:
    """Every score of one detector."""
    counted = [run for run in runs if counts(run)]
    groups = [run.group for run in counted]
    to_onset = [scored(run, rule) for run in counted]
    to_cross = [ScoredRun(run.steps, rule(run), run.cross) for run in counted]
    values = outcomes(to_onset)
    means, left = bootstrap(values, groups), jackknife(values, groups)
    return Scores(
        healthy_alarmed=scoring.healthy_false_alarm(to_onset),
        dips_alarmed=_alarmed(runs, rule, "healthy_with_dip"),
        never_learned_alarmed=_alarmed(runs, rule, "never_learned"),
        alarms_per_thousand=scoring.false_alarms_per_thousand(to_onset),
        time_in_warning=scoring.time_in_warning(to_onset),
        early=scoring.early_recall(to_onset),
        late=scoring.late_recall(to_onset, LATE),
        rearmed=scoring.early_recall(to_onset, rearm=True),
        rearmed_late=scoring.late_recall(to_onset, LATE, rearm=True),
        by_crossing=scoring.recall(to_cross),
        premature=scoring.premature(to_onset),
        lead=scoring.early_leads(to_onset, least=1, horizon=usual_horizon),
        expected_lead=scoring.expected_lead(to_onset, horizon=usual_horizon),
        lead_recall=scoring.lead_recall(to_onset, horizon=usual_horizon),
        saved=scoring.compute_saved(to_onset),
        lost=scoring.compute_lost(to_onset),
        intervals={name: interval(means[:, i]) for i, name in enumerate(OUTCOMES)},
        without_a_group={name: interval(left[:, i], 1) for i, name in enumerate(OUTCOMES)},
        chance=chance.by_chance(to_onset, lambda some: scoring.early_recall(some).value, deals),
        late_chance=chance.by_chance(
            to_onset, lambda some: scoring.late_recall(some, LATE).value, deals
        ),
        at_random={
            "early": scoring.at_random(to_onset, 1, usual_horizon),
            "late": scoring.at_random(to_onset, -LATE, usual_horizon),
            "by_crossing": scoring.at_random(to_cross),
            "premature": scoring.premature_at_random(to_onset),
        },
    )


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


def difference(
    first: Sequence[ScoredRun], second: Sequence[ScoredRun], groups: Sequence[str]
) -> dict[str, Interval]:
    """Paired bootstrap 95 % intervals of first minus second, for the columns of `outcomes`."""
    means = bootstrap(np.hstack([outcomes(first), outcomes(second)]), groups)
    return {
        name: interval(means[:, column] - means[:, column + len(OUTCOMES)])
        for column, name in enumerate(OUTCOMES)
    }


def late_minus_now(runs: Sequence[JudgedRun], rule: Rule) -> dict[str, Interval]:
    """What ten records of delay cost a detector, paired.

    Alarms that see a collapse coming must get worse; a score that does not is a leak, or luck. The
    detectors see nothing but the records, so that records ten late give alarms ten late.
    """
    counted = [scored(run, rule) for run in runs if counts(run)]
    groups = [run.group for run in runs if counts(run)]
    return difference([chance.delayed(run, LATE) for run in counted], counted, groups)


def number(value: float) -> float | None:
    """For JSON: what is undefined is null."""
    return value if math.isfinite(value) else None


def _alarmed(runs: Sequence[JudgedRun], rule: Rule, kind: str) -> Share:
    some = [run for run in runs if run.kind == kind]
    return Share(sum(bool(rule(run)) for run in some), len(some))


def _share(part: Share) -> dict[str, Any]:
    low, high = part.interval
    return {"hits": part.hits, "of": part.of, "wilson": [number(low), number(high)]}
