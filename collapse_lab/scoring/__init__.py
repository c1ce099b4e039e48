"""Alarms against labels: pure functions from runs to shares, leads, rates and costs."""

from collapse_lab.scoring.costs import (
    COST_RATIOS,
    compute_lost,
    compute_saved,
    net_benefit,
    precision,
)
from collapse_lab.scoring.false_alarms import (
    REFRACTORY,
    false_alarms_per_thousand,
    healthy_false_alarm,
    time_in_warning,
)
from collapse_lab.scoring.measures import (
    LEADS,
    caught_early,
    early_leads,
    early_recall,
    expected_lead,
    late_recall,
    lead_recall,
    leads,
    median_early_lead,
    median_lead,
    premature,
    recall,
    recall_by_luck,
)
from collapse_lab.scoring.nab import nab_score
from collapse_lab.scoring.overlap import range_precision, range_recall
from collapse_lab.scoring.poisson import AtRandom, at_random, premature_at_random
from collapse_lab.scoring.ranges import LATE, anomaly, scored_records
from collapse_lab.scoring.runs import Horizon, ScoredRun, point_of, unlimited, usual_horizon
from collapse_lab.scoring.shares import Share, clopper_pearson, upper_bound, wilson
from collapse_lab.scoring.volume import vus_pr

__all__ = [
    "COST_RATIOS",
    "LATE",
    "LEADS",
    "REFRACTORY",
    "AtRandom",
    "Horizon",
    "ScoredRun",
    "Share",
    "anomaly",
    "at_random",
    "caught_early",
    "clopper_pearson",
    "compute_lost",
    "compute_saved",
    "early_leads",
    "early_recall",
    "expected_lead",
    "false_alarms_per_thousand",
    "healthy_false_alarm",
    "late_recall",
    "lead_recall",
    "leads",
    "median_early_lead",
    "median_lead",
    "nab_score",
    "net_benefit",
    "point_of",
    "precision",
    "premature",
    "premature_at_random",
    "range_precision",
    "range_recall",
    "recall",
    "recall_by_luck",
    "scored_records",
    "time_in_warning",
    "unlimited",
    "upper_bound",
    "usual_horizon",
    "vus_pr",
    "wilson",
]
