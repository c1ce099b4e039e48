"""The score of the Numenta Anomaly Benchmark, standard profile.

Lavin and Ahmad, Evaluating Real-time Anomaly Detection Algorithms, ICMLA 2015 (arXiv 1510.03336).
In each window only the first alarm counts. At record i of a window of w records that ends with
record r it earns

    S(y) / S(-1),  y = -(r - i + 1) / w,  S(y) = 2 / (1 + exp(5 y)) - 1

which is 1 at the first record and falls to nearly 2.5 / w at the last. A window without an alarm
costs 1, and every alarm outside 0.11. Over all runs, 0 is never to alarm and 100 an alarm at the
first record of each window and nowhere else:

    100 (score - never) / (perfect - never),  never = -windows, perfect = windows

There is no lower end: false alarms go on costing. Windows are the ranges of `ranges`, and alarms
count where they are raised, as NAB has no duration. Two things are otherwise than in the
benchmark, which alarms soon after a window cost less in, and whose first 15 % of a series are not
scored: here nothing is scored after a window, and everything before it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from collapse_lab.scoring.ranges import anomaly, scored_records
from collapse_lab.scoring.runs import ScoredRun

FALSE_ALARM = 0.11
MISS = 1.0


def nab_score(runs: Sequence[ScoredRun]) -> float:
    """Normalised score of alarms; NaN without a collapse."""
    windows = sum(run.collapse is not None for run in runs)
    if not windows:
        return math.nan
    score = math.fsum(raw(run) for run in runs)
    return 100 * (score + MISS * windows) / ((1 + MISS) * windows)


def raw(run: ScoredRun) -> float:
    """What the alarms in one run earn, less what they cost."""
    window = anomaly(run) or range(0)
    end = scored_records(run)
    alarms = [alarm for alarm in run.alarms if alarm < end]
    hits = [alarm for alarm in alarms if alarm in window]
    cost = FALSE_ALARM * (len(alarms) - len(hits))
    if not window:
        return -cost
    return (earned(hits[0], window) if hits else -MISS) - cost


def earned(alarm: int, window: range) -> float:
    """What an alarm in a window earns.

    >>> earned(0, range(10)), round(earned(5, range(10)), 2), round(earned(9, range(10)), 2)
    (1.0, 0.86, 0.25)
    """
    return _scaled((alarm - window.stop) / len(window)) / _scaled(-1)


def _scaled(position: float) -> float:
    return 2 / (1 + math.exp(5 * position)) - 1
