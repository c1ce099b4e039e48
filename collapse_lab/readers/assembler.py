"""Rows of any format -> records: names, the rows of one step, restarts and further runs."""

from __future__ import annotations

import math
from dataclasses import replace

from collapse_lab.readers.aliases import Names
from collapse_lab.readers.base import Row
from collapse_lab.records import EVENT, NEW_RUN, RESTART, Record


class Assembler:
    """Rows under a log's own names -> records under canonical names.

    Where rows of a step are merged, one of an older step joins the newest while none of its own
    names goes back (an evaluation that took its time, a process that lags behind), and else begins
    a restart. `last_step` is where the run stands that is continued.
    """

    def __init__(self, framework: str | None, merges: bool, last_step: int = -1) -> None:
        self.names = Names(framework)
        self._merges = merges
        self._open: Row | None = None
        self._last_steps: dict[str, int] = {"": last_step}
        self._newest: dict[str, int] = {}
        self._at: dict[str, dict[str, int]] = {}
        """Each run's newest step, and the step at which each of its names was stated last."""
        self._run: str = ""

    def add(self, row: Row) -> list[Record]:
        """Records that this row completes."""
        if row.step is None:
            row = replace(row, step=self._next_step(row.run))
        if not self._merges:
            return [self._record(row)]
        row = self._placed(row)
        held = self._open
        if held is None:
            self._open = row
            return []
        if (held.step, held.run) == (row.step, row.run) and _adds(row, held):
            self._open = Row(
                row.step,
                {**held.values, **row.values},
                held.time if math.isnan(row.time) else row.time,
                {**held.notes, **row.notes},
                row.run,
            )
            return []
        self._open = row
        return [self._record(held)]

    def flush(self) -> list[Record]:
        """The step still open: at the end of a log, or when a live one has gone quiet."""
        held, self._open = self._open, None
        return [] if held is None else [self._record(held)]

    def _placed(self, row: Row) -> Row:
        """The row at its step, or at the newest one when it is late."""
        assert row.step is not None
        step = place = row.step
        newest = self._newest.get(row.run, step)
        at = self._at.setdefault(row.run, {})
        if step < newest and at and all(at.get(name, step) <= step for name in row.values):
            place = newest
            note = f"logged for step {step} after step {newest} had begun"
            notes = {**dict.fromkeys(row.values, note), **row.notes}
            row = replace(row, notes=notes, step=place)
        elif step < newest:
            at.clear()
        at.update(dict.fromkeys(row.values, step))
        self._newest[row.run] = place
        return row

    def _next_step(self, run: str) -> int:
        open_step = self._open.step if self._open and self._open.run == run else None
        return (self._last_steps.get(run, -1) if open_step is None else open_step) + 1

    def _record(self, row: Row) -> Record:
        assert row.step is not None
        values = self.names.rename(row.values)
        notes: dict[str, str] = {}
        if row.notes:
            about = [key for key in row.notes if not key.startswith(EVENT)]
            names = self.names.translate({**row.values, **dict.fromkeys(about)})
            notes = {names.get(key, key): text for key, text in row.notes.items()}
        if row.run != self._run:
            self._run = notes[NEW_RUN] = row.run
        last = self._last_steps.get(row.run, -1)
        if row.step < last:
            notes[RESTART] = f"step went back from {last} to {row.step}"
        self._last_steps[row.run] = row.step
        return Record(row.step, row.time, values, notes=notes)


def _adds(row: Row, held: Row) -> bool:
    """Whether a row completes the held one; a key stated anew is another observation of the step.

    Writers repeat what says where they are (an epoch) beside what they add. A row may also bring
    notes alone.
    """
    again = row.values.keys() & held.values.keys()
    repeats = all(row.values[key] == held.values[key] for key in again)
    return not row.values or (row.values.keys() > again and repeats)
