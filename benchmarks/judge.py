"""Runs every detector over one labelled log: where each alarms, and what our front end saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks import peers, simple_rules
from benchmarks.cache import cached, version
from benchmarks.corpus import LabelledLog
from collapse_lab.detectors.panel import Panel
from collapse_lab.detectors.prior import Prior, fit
from collapse_lab.detectors.reward_drop import RewardDrop
from collapse_lab.records import SEVERITIES, Record

OURS = {
    "collapse-lab, watch or above": ("watch", "alarm", "critical"),
    "collapse-lab, alarm or above": ("alarm", "critical"),
    "collapse-lab, alarm or above, reward aside": ("alarm", "critical"),
    "collapse-lab, critical": ("critical",),
}
REWARD_ASIDE = "reward aside"
"""Rows that end so leave out the detector that waits for the reward to fall."""
DETECTORS = version(
    *("collapse_lab/detectors", "collapse_lab/knee.py", "collapse_lab/noise.py"),
    *("collapse_lab/signals.py", "collapse_lab/records.py"),
)
PEERS = version("benchmarks/peers.py", "benchmarks/peer_worker.py")
RULES = version("benchmarks/simple_rules.py", "collapse_lab/signals.py")


@dataclass(frozen=True, slots=True)
class Raised:
    """One alarm of ours: after which point, and what it said."""

    point: int
    step: int
    severity: str
    detector: str
    since: int
    signals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Row of a table -> points at which that detector alarmed on this log.

    `residuals` are our whitened residuals, signal -> one number a record, NaN where not judged.
    """

    alarms: Mapping[str, Sequence[int]]
    raised: Sequence[Raised]
    residuals: Mapping[str, NDArray[np.float64]]


def rows(with_peers: bool) -> list[str]:
    """Names of all detectors, in the order of the tables."""
    names = list(OURS)
    if with_peers:
        for peer, requirement in zip(peers.KEYS, peers.REQUIREMENTS, strict=True):
            names += _peer_rows(peer, requirement)
    names += simple_rules.RULES
    return names + [f"{rule}, on our residuals" for rule in simple_rules.ON_RESIDUALS]


def prior_without(repository: str, logs: Sequence[LabelledLog]) -> Prior:
    """The prior fitted to the healthy logs of all other repositories."""
    others = [log for log in logs if log.healthy and log.repository != repository and log.records]
    key = ("prior", DETECTORS, *("/".join(log.key) for log in others))

    def learn() -> Prior:
        healthy: dict[str, list[list[Record]]] = {}
        for log in others:
            healthy.setdefault(log.repository, []).append(list(log.records))
        return fit(healthy)

    return cached(key, learn)


def judge(log: LabelledLog, prior: Prior, with_peers: bool) -> Judgement:
    """All detectors on one log."""
    raised, residuals = cached(
        ("panel", DETECTORS, prior.to_json(), *log.key), lambda: _panel(log.records, prior)
    )
    alarms: dict[str, Sequence[int]] = {
        row: [
            one.point
            for one in raised
            if one.severity in severities
            and not (row.endswith(REWARD_ASIDE) and one.detector == RewardDrop.name)
        ]
        for row, severities in OURS.items()
    }
    if with_peers:
        for peer, requirement in zip(peers.KEYS, peers.REQUIREMENTS, strict=True):
            findings = cached(
                ("peer", peer, PEERS, *log.key), lambda peer=peer: _peer().run(peer, log.records)
            )
            loud = [one for one in findings if one.severity == "critical"]
            kinds = (peers.collapse_findings(peer, findings), loud, findings)
            for row, kind in zip(_peer_rows(peer, requirement), kinds, strict=False):
                alarms[row] = [one.point for one in kind]
    raw = simple_rules.raw_series(log.records)
    for rule, points in simple_rules.RULES.items():
        alarms[rule] = cached(("rule", rule, RULES, *log.key), lambda points=points: points(raw))
    for rule in simple_rules.ON_RESIDUALS:
        alarms[f"{rule}, on our residuals"] = cached(
            ("rule on residuals", rule, RULES, DETECTORS, prior.to_json(), *log.key),
            lambda rule=rule: simple_rules.RULES[rule](residuals),
        )
    return Judgement(alarms, raised, residuals)


def _peer_rows(peer: str, requirement: str) -> tuple[str, ...]:
    name = requirement.replace("==", " ")
    if not peers.NOTICES[peer]:
        return name, f"{name}, critical"
    return name, f"{name}, critical", f"{name}, with waste notices"


@cache
def _peer() -> peers.PeerProcess:
    """One peer interpreter a process; it ends with us, when its standard input closes."""
    return peers.PeerProcess()


def _panel(
    records: Sequence[Record], prior: Prior
) -> tuple[list[Raised], dict[str, NDArray[np.float64]]]:
    panel = Panel(prior=prior)
    raised: list[Raised] = []
    residuals: dict[str, NDArray[np.float64]] = {}
    for point, record in enumerate(records):
        for alarm in panel.update(record):
            assert alarm.severity in SEVERITIES
            raised.append(
                Raised(
                    point,
                    record.step,
                    alarm.severity,
                    alarm.detector,
                    alarm.since,
                    alarm.signals,
                )
            )
        for name, residual in panel.residuals().items():
            if name not in residuals:
                residuals[name] = np.full(len(records), np.nan)
            residuals[name][point] = residual
    return raised, residuals
