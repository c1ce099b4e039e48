"""slime (and miles): `[2026-08-21 10:00:00] model.py:918 - step 3: {'train/loss': 0.1, ...}`.

Dicts come on three axes: `step N` (and `critic-step N`) counts optimiser steps, `rollout R` and
`perf R` count rollouts, of which each is trained on for one or more steps, and `eval R` is
printed when rollout R has been trained on.
Source: slime `backends/megatron_utils/model.py`, `observability/`.
"""

from __future__ import annotations

import re
from typing import ClassVar

from collapse_lab.readers.base import SURE, Row, clean
from collapse_lab.readers.literals import dicts, numbers

_LINE = re.compile(r"(?:^|[\s\]-])((?:\w+-)?step|rollout|perf|eval) (\d+): (?=\{')")
_AXES = ("train/", "rollout/", "perf/", "eval/")
_WHERE = {"train/step", "rollout/step", "eval/step"}


class SlimeConsole:
    """A row per dict, on the axis of the optimiser steps.

    A rollout's numbers wait for its first step. How many steps a rollout has is learnt from the
    steps between two rollouts; with one each, the rule, both count alike. What comes later
    (an evaluation, timings) joins the newest step.
    """

    name: ClassVar[str] = "slime-console"
    framework: ClassVar[str | None] = "slime"
    merges: ClassVar[bool] = True

    def __init__(self) -> None:
        self._rollouts: dict[int, Row] = {}
        self._step = -1
        self._steps_since_rollout = 0
        self._steps_per_rollout = 1

    @classmethod
    def claims(cls, head: list[str]) -> float:
        return SURE if any(_parse(line) for line in head) else 0.0

    def feed(self, line: str) -> list[Row]:
        parsed = _parse(line)
        if parsed is None:
            return []
        axis, at, row = parsed
        if axis == "step":
            self._step = at
            self._steps_since_rollout += 1
            return [*self._due(), row]
        if axis == "rollout":
            if self._steps_since_rollout:
                self._steps_per_rollout = self._steps_since_rollout
            self._steps_since_rollout = 0
        if axis == "rollout" or (self._step < 0 and axis == "perf"):
            held = self._rollouts.get(at, Row(at, {}))
            values, notes = {**held.values, **row.values}, {**held.notes, **row.notes}
            self._rollouts[at] = Row(at, values, notes=notes)
            return []
        return [Row(max(self._step, 0), row.values, notes=row.notes)]

    def close(self) -> list[Row]:
        rows = [
            Row(max(at * self._steps_per_rollout, self._step), row.values, notes=row.notes)
            for at, row in self._rollouts.items()
        ]
        self._rollouts.clear()
        return rows

    def _due(self) -> list[Row]:
        """Rows of the rollouts that the newest step trains on, or has left behind."""
        current = self._step // self._steps_per_rollout
        due = [self._rollouts.pop(at) for at in sorted(self._rollouts) if at <= current]
        return [Row(self._step, row.values, notes=row.notes) for row in due]


def _parse(line: str) -> tuple[str, int, Row] | None:
    """Axis, count and numbers of a line of metrics, else None."""
    if ": {'" not in line or not (found := _LINE.search(line := clean(line))):
        return None
    axis = "step" if found[1].endswith("step") else found[1]
    for _, items in dicts(line[found.end() :]):
        if not any(key.startswith(_AXES) for key in items):
            return None
        values, notes = numbers(items)
        for key in _WHERE:
            values.pop(key, None)
        return axis, int(found[2]), Row(int(found[2]), values, notes=notes)
    return None
