"""The hazard model among the contenders: trained, and its limits set, without the judged group."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks import hazard_judging, hazard_runs
from benchmarks.challengers_scores import ALPHA, Alarms
from benchmarks.challengers_seen import Seen

ROWS = {
    "hazard, trained on other groups": hazard_judging.HAZARD,
    f"{hazard_judging.FIRST} and hazard, half of alpha each": hazard_judging.HYBRID,
}
"""Row -> method of `hazard_judging`."""


def held_out(seen: Sequence[Seen], roots: Sequence[Path]) -> dict[str, Alarms]:
    """Row -> first alarms in each run of `seen`, which were read from the roots.

    Empty where too few runs are left to learn from; a run without a label has no alarm.
    """
    runs = list(hazard_runs.read(roots))
    parts = [part for _, part in hazard_judging.left_out(runs, "group", ALPHA)]
    if not parts:
        return {}
    judged = hazard_judging.together(parts)
    keys = [(run.group, run.name) for run in judged.runs]
    assert len(set(keys)) == len(keys)
    rows: dict[str, Alarms] = {}
    for row, method in ROWS.items():
        first = dict(zip(keys, judged.alarms[method], strict=True))
        points = [first.get(_key(one)) for one in seen]
        rows[row] = [() if point is None else (point,) for point in points]
    return rows


def unseen(seen: Sequence[Seen], roots: Sequence[Path]) -> list[int]:
    """Places of the runs that were kept apart while the features were chosen."""
    kept = {(run.group, run.name) for run in hazard_runs.read(roots) if run.why_held_out}
    return [place for place, one in enumerate(seen) if _key(one) in kept]


def _key(one: Seen) -> tuple[str, str]:
    """Group and name, without the root that challengers put before it."""
    return one.run.group, one.run.name.split("/", 1)[1]
