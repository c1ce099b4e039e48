"""Our own runs: a folder with `run.json` and records, or the records file alone.

See `collapse_lab.store` and `collapse_lab.records`.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from collapse_lab.frames import from_frame, read_frame
from collapse_lab.readers.base import Row
from collapse_lab.records import NEW_RUN, Record
from collapse_lab.tail import Tail

RECORDS, SEALED = "records.jsonl", "records.parquet"


class RecordLines:
    """Records as they were written; what they were translated from is no longer in them."""

    name: ClassVar[str] = "collapse-lab-records"
    framework: ClassVar[str | None] = "collapse-lab"
    merges: ClassVar[bool] = False

    def __init__(self) -> None:
        self._run = ""

    @classmethod
    def claims(cls, head: list[str]) -> float:
        form = cls()
        return 1.0 if any(form.feed(line) for line in head) else 0.0

    def feed(self, line: str) -> list[Row]:
        try:
            record = Record.from_json(line)
        except (ValueError, RecursionError):  # a torn line, ended by the writer that came next
            return []
        return [self.row(record)]

    def row(self, record: Record) -> Row:
        """The next record of the file, with the run that it is of."""
        self._run = record.notes.get(NEW_RUN, self._run)
        return Row(record.step, record.values, record.time, record.notes, self._run)

    def close(self) -> list[Row]:
        return []


class RunFolder:
    """The records of a run folder, from its lines, or from their sealed form where only that was
    kept."""

    name: ClassVar[str] = "collapse-lab"
    framework: ClassVar[str | None] = "collapse-lab"
    merges: ClassVar[bool] = False

    @classmethod
    def claims(cls, path: Path) -> float:
        kept = any((path / name).is_file() for name in (RECORDS, SEALED))
        return 1.0 if kept and (path / "run.json").is_file() else 0.0

    def __init__(self, path: Path) -> None:
        self._sealed = None if (path / RECORDS).is_file() else path / SEALED
        self._tail = Tail(path / RECORDS)
        self._lines = RecordLines()

    def new(self) -> list[Row]:
        rows: list[Row] = []
        if self._sealed:
            rows = [self._lines.row(record) for record in from_frame(read_frame(self._sealed))]
            self._sealed = None
        while lines := self._tail.lines():
            rows += [row for line in lines for row in self._lines.feed(line)]
        return rows

    def close(self) -> list[Row]:
        return self._lines.feed(self._tail.rest())
