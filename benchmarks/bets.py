"""The e-detector's assumption, measured: how often healthy runs exceed each of its levels.

    COLLAPSE_LAB_REALLOGS=DIR python -m benchmarks.bets

Its guarantee needs P(k-th most deviant family exceeds the level | past) <= p0 while the run is
healthy. Measured as the share of healthy records that exceed, and as the share that exceed right
after one that did: the second is the number that p0 must cover.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from benchmarks.corpus import LabelledLog, load
from benchmarks.exceedances import Counts
from benchmarks.judge import Judgement
from benchmarks.real_logs import judge_all
from collapse_lab.detectors.edetector import BETS, Bet
from collapse_lab.scoring.markdown import percent, table_of
from collapse_lab.signals import SIGNALS


def ranked(judgement: Judgement) -> np.ndarray:
    """(records, families): each record's deviations by family, the largest first, NaN if none."""
    by_family: dict[str, list[np.ndarray]] = {}
    for name, u in judgement.residuals.items():
        bad = SIGNALS[name].bad
        worst = np.abs(u) if bad == "both" else (u if bad == "up" else -u)
        by_family.setdefault(SIGNALS[name].family, []).append(worst)
    if not by_family:
        return np.empty((0, 0))
    families = np.stack([_largest(part) for part in by_family.values()], axis=1)
    return -np.sort(-families, axis=1)  # NaN sorts last either way


def _largest(parts: list[np.ndarray]) -> np.ndarray:
    stacked = np.stack(parts)
    missing = np.isnan(stacked).all(axis=0)
    return np.where(missing, np.nan, np.where(np.isnan(stacked), -math.inf, stacked).max(axis=0))


def count(bet: Bet, logs: Sequence[LabelledLog], judgements: Sequence[Judgement]) -> Counts:
    """Exceedances of one bet's level over the healthy logs."""
    counts = Counts()
    for log, judgement in zip(logs, judgements, strict=True):
        deviations = ranked(judgement)
        if log.healthy and deviations.shape[1] >= bet.rank:
            statistic = deviations[:, bet.rank - 1]
            statistic = statistic[np.isfinite(statistic)]
            counts.add(statistic > bet.level, np.ones(len(statistic), bool))
    return counts


def table(logs: Sequence[LabelledLog], judgements: Sequence[Judgement]) -> str:
    """Markdown: one row a bet."""
    rows: list[list[str]] = []
    for bet in BETS:
        counts = count(bet, logs, judgements)
        rows.append(
            [
                f"{bet.rank}. most deviant family > {bet.level:g}",
                f"{counts.judged:,}",
                percent(counts.beyond / counts.judged, 1),
                f"{percent(counts.beyond_after / counts.after, 1)} of {counts.after:,}",
                f"{bet.p0:.0%}",
            ]
        )
    head = ["bet", "healthy records", "exceed", "exceed after exceeding", "p0 assumed"]
    return table_of(head, rows)


def main() -> None:
    logs = [log for log in load() if not log.problem]
    print(table(logs, judge_all(logs, with_peers=False)))


if __name__ == "__main__":
    main()
