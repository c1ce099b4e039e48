"""Every detector on one run: where it alarms at its defaults, and how far each of its records is.

What can be calibrated needs a score a record, of which 1 is the default limit. Rules have one;
tools that only say yes or no get it from `challengers_ladder`. Results are cached by the run's
content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks import peers, simple_rules
from benchmarks.cache import cached, version
from benchmarks.challengers_ladder import climb
from benchmarks.challengers_limits import LIMITS
from benchmarks.simple_rules import Series
from collapse_lab import scorecard
from collapse_lab.calibration import conformal
from collapse_lab.calibration.conformal import Course
from collapse_lab.corpus import CorpusRun
from collapse_lab.scorecard import JudgedRun

Array = NDArray[np.float64]

MOST = 1e6
"""Scores end here: what divides by nothing is as bad as it gets."""
COIN = "a coin tossed at every record"
OURS = version(
    "collapse_lab/detectors",
    "collapse_lab/calibration",
    "collapse_lab/scorecard",
    *(f"collapse_lab/{module}.py" for module in ("signals", "records", "knee", "noise")),
)
PEERS = version(
    "benchmarks/peers.py",
    "benchmarks/peer_worker.py",
    "benchmarks/peer_monitors.py",
    "benchmarks/challengers_ladder.py",
)
RULES = version(
    "benchmarks/simple_rules.py",
    "benchmarks/challengers_limits.py",
    "benchmarks/challengers_ladder.py",
    "collapse_lab/signals.py",
)


@dataclass(frozen=True, slots=True)
class Seen:
    """`alarms`: row -> points at the defaults. `course`: row or detector of ours -> largest score
    so far, one number a record. `series`: signal with a bad direction ->
    its values."""

    run: JudgedRun
    alarms: Mapping[str, Sequence[int]]
    course: Course
    series: Series

    @property
    def healthy(self) -> bool:
        """Whether a calibration may rest on it."""
        return self.run.kind in conformal.HEALTHY


def see(run: CorpusRun, with_peers: bool) -> Seen:
    """All detectors on one run."""
    content = _content(run)
    judged, highest = cached(
        ("ours", OURS, content, run.name, run.group, repr(run.label)),
        lambda: (scorecard.judge(run), conformal.course(run).highest),
    )
    series = simple_rules.raw_series(run.records)
    alarms: dict[str, Sequence[int]] = {}
    scores: dict[str, Array] = dict(highest)
    for name, values in cached(("rules", RULES, content), lambda: _rules(series)).items():
        alarms[name] = simple_rules.beyond(values)
        scores[name] = _rising(values)
    for name in simple_rules.DRIFT:
        alarms[name], scores[name] = cached(
            ("drift", name, RULES, content),
            lambda name=name: _drift(name, series, len(run.records)),
        )
    for peer in peers.KEYS if with_peers else ():
        found, scores[peer] = cached(
            ("peer", peer, PEERS, content), lambda peer=peer: _peer(peer, run)
        )
        alarms[peer] = [one.point for one in found]
        alarms[f"{peer}, critical"] = [one.point for one in found if one.severity == "critical"]
    coin = np.random.default_rng(int(content[:8], 16))
    scores[COIN] = _rising(coin.exponential(size=len(run.records)))
    return Seen(judged, alarms, Course(run.name, run.group, scores), series)


def _rules(series: Series) -> dict[str, Array]:
    rules = simple_rules.SCORES | LIMITS
    return {
        name: np.minimum(np.nan_to_num(score(series), posinf=MOST), MOST)
        for name, score in rules.items()
    }


def _drift(name: str, series: Series, records: int) -> tuple[Sequence[int], Array]:
    alarms_at = cache(lambda scale: simple_rules.DRIFT[name](series, scale))
    return alarms_at(1.0), climb(alarms_at, records)


def _peer(peer: str, run: CorpusRun) -> tuple[list[peers.Finding], Array]:
    """Findings at the defaults, and the climb; findings about waste do not count."""

    @cache
    def findings(scale: float) -> list[peers.Finding]:
        return peers.collapse_findings(peer, _process().run(peer, run.records, scale))

    if peer in peers.FIXED:
        return findings(1.0), np.zeros(len(run.records))
    climbed = climb(lambda scale: [one.point for one in findings(scale)], len(run.records))
    return findings(1.0), climbed


@cache
def _process() -> peers.PeerProcess:
    """One peer interpreter; it ends with us, when its standard input closes."""
    return peers.PeerProcess()


def _rising(score: Array) -> Array:
    return np.maximum.accumulate(np.maximum(score, 0))


def _content(run: CorpusRun) -> str:
    digest = hashlib.sha256(str(run.planned_steps).encode())
    for record in run.records:
        digest.update(repr((record.step, sorted(record.values.items()), record.notes)).encode())
    return digest.hexdigest()
