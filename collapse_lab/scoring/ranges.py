"""A collapse as a range of records, and alarms as ranges, for the scores of fields that know no
others.

The range of a collapse is where an alarm may be about it: from the usual horizon before the onset
to ten records after. What comes later is not scored at all. The run has failed by then and goes on
only because nobody stopped it, so that whoever scored it would reward alarms that tell the end of
a log (run-to-failure bias: Wu and Keogh, arXiv 2009.13807).

An alarm is raised at a record, and nobody takes it back. It stands for as long as a collapse would
count as warned of by it, as for the time in warning: at every record that it is within the usual
horizon of. One that is raised in the range of a collapse stands to the end of that range, as what
it warned of is going on.
"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from collapse_lab.scoring.false_alarms import healthy_points
from collapse_lab.scoring.runs import ScoredRun, usual_horizon

LATE = 10
"""Records after the onset."""


def anomaly(run: ScoredRun) -> range | None:
    """Records of the collapse, of those that the log has; None of a run that did not.

    >>> anomaly(ScoredRun(range(100), (), collapse=40))
    range(30, 51)
    """
    if run.collapse is None:
        return None
    return range(healthy_points(run), min(len(run.steps), run.collapse + LATE + 1))


def scored_records(run: ScoredRun) -> int:
    """How many records count: all, or those up to the end of the collapse."""
    about = anomaly(run)
    return len(run.steps) if about is None else about.stop


def warned(run: ScoredRun) -> list[range]:
    """Ranges of records at which an alarm stands, apart from each other, ascending.

    >>> warned(ScoredRun(range(100), (30, 33, 60)))
    [range(30, 45), range(60, 81)]
    """
    about = anomaly(run) or range(0)
    stands = np.zeros(scored_records(run) + 2, np.int8)  # off before the first and after the last
    for point in range(scored_records(run)):
        upto = bisect_right(run.alarms, point)
        last = run.alarms[upto - 1] if upto else None
        stands[point + 1] = last is not None and (
            last in about or point - last <= usual_horizon(point)
        )
    edges: list[list[int]] = np.flatnonzero(np.diff(stands)).reshape(-1, 2).tolist()
    return [range(start, stop) for start, stop in edges]
