"""prime-rl's metrics.jsonl: several rows a step, from several processes, without non-finite values.

Every row is `{"step": N, "time": T, key: number, ...}`, since mid-2026 with a `producer`. Rows of
the trainer, of the orchestrator (which is some steps ahead) and of timers (no step) interleave.
Source: prime-rl `monitors/file.py`.
"""

from __future__ import annotations

import json
import math
from typing import Any, ClassVar, cast

from collapse_lab.readers.base import SURE, Row
from collapse_lab.readers.fields import FieldReader

TRAINER = "trainer"
ABSENT = "absent where there was a number: prime-rl drops what is not finite"

_STEPS_SEEN = 3
"""Steps in a row that must have had a key before its absence is worth a note."""
_LEAD = 8
"""Steps that the orchestrator may be ahead of a trainer that has not been seen yet."""
_SIGNATURE = ("mismatch_kl/", "kl_ent_ratio/", "train/agg/", "entropy/all/", "off_policy/")


class PrimeRlMetrics:
    """One row a step, once every process that the file has shown is past it."""

    name: ClassVar[str] = "prime-rl-metrics"
    framework: ClassVar[str | None] = "prime-rl"
    merges: ClassVar[bool] = False

    def __init__(self) -> None:
        self._fields = FieldReader(("step",))
        self._open: dict[int, Row] = {}
        self._at: dict[str, int] = {}
        self._runs: dict[str, int] = {}
        """key -> for how many steps in a row it has been there"""

    @classmethod
    def claims(cls, head: list[str]) -> float:
        rows = [fields for line in head if (fields := _parse(line)) is not None]
        keys = {key for fields in rows for key in fields}
        if any("producer" in fields for fields in rows):
            return SURE
        return SURE if any(key.startswith(_SIGNATURE) for key in keys) else 0.0

    def feed(self, line: str) -> list[Row]:
        fields = _parse(line)
        if fields is None:
            return []
        writer = _writer(fields)
        fields.pop("producer", None)
        if fields["step"] is None:  # measured by the clock, not by the step
            del fields["step"]
        row = self._fields.row(fields)
        if row.step is None or (writer is None and row.step not in self._open):
            if self._open:
                self._join(Row(max(self._open), row.values, notes=row.notes))
            return []
        rows: list[Row] = []
        if writer is not None:
            if row.step < self._at.get(writer, -1):  # the process began anew
                rows = self.close()
            self._at[writer] = row.step
        self._join(row)
        return rows + self._complete()

    def close(self) -> list[Row]:
        rows = [self._noted(self._open[step]) for step in sorted(self._open)]
        self._open.clear()
        self._at.clear()
        return rows

    def _join(self, row: Row) -> None:
        assert row.step is not None
        held = self._open.get(row.step, row)
        self._open[row.step] = Row(
            row.step,
            {**held.values, **row.values},
            held.time if math.isnan(row.time) else row.time,
            {**held.notes, **row.notes},
        )

    def _complete(self) -> list[Row]:
        steps = self._at.values()
        passed = min(steps) if TRAINER in self._at else max(steps, default=0) - _LEAD
        done = sorted(step for step in self._open if step < passed)
        return [self._noted(self._open.pop(step)) for step in done]

    def _noted(self, row: Row) -> Row:
        """The row with a note for each key that it lacks and the steps before had."""
        gone = [
            key
            for key, steps in self._runs.items()
            if steps >= _STEPS_SEEN and key not in row.values
        ]
        self._runs = {key: self._runs.get(key, 0) + 1 for key in row.values}
        return Row(row.step, row.values, row.time, {**row.notes, **dict.fromkeys(gone, ABSENT)})


def _writer(fields: dict[str, Any]) -> str | None:
    """The process whose steps a row counts; None for what is measured beside them.

    An evaluation ends some steps after the one that it measures.
    """
    if any(key.startswith("eval/") for key in fields):
        return None
    if any(key.startswith(("loss/", "entropy/", "mismatch_kl/", "optim/")) for key in fields):
        return TRAINER
    if any(key.startswith(("train/", "off_policy/", "reward/")) for key in fields):
        return "orchestrator"
    return cast("str | None", fields.get("producer"))


def _parse(line: str) -> dict[str, Any] | None:
    """The fields of a row, else None."""
    if not line.startswith('{"step": '):
        return None
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or "time" not in fields:
        return None

    return cast(dict[str, Any], fields)
