"""From a log of any format to records: the part that all formats share.

`Log` follows a file or folder, `LineReader` is fed the lines of a running program. Both give
records under canonical names, one a step, in the order of the log, with a note where the step
went back (a restart) or another run begins.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

from collapse_lab.readers import FILE_FORMATS, LINE_FORMATS
from collapse_lab.readers.aliases import UNKNOWN, Names
from collapse_lab.readers.base import FileFormat, LineFormat, Row, UnreadableLog
from collapse_lab.records import NEW_RUN, RESTART, Record
from collapse_lab.tail import Tail

HEAD_LINES = 4000
"""Lines of a file that decide its format: enough to get past a framework's start-up chatter."""


class Assembler:
    """Rows under a log's own names -> records under canonical names."""

    def __init__(self, framework: str | None, merges: bool) -> None:
        self.names = Names(framework)
        self._merges = merges
        self._open: Row | None = None
        self._last_step = -1
        self._run = ""

    def add(self, row: Row) -> list[Record]:
        """Records that this row completes."""
        if row.step is None:
            row = Row(self._next_step(), row.values, row.time, row.notes, row.run)
        if not self._merges:
            return [self._record(row)]
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

    def _next_step(self) -> int:
        open_step = self._open.step if self._open else None
        return (self._last_step if open_step is None else open_step) + 1

    def _record(self, row: Row) -> Record:
        assert row.step is not None
        names = self.names.translate(row.values)
        notes = {names.get(key, key): text for key, text in row.notes.items()}
        if row.run != self._run:
            self._run, self._last_step = row.run, -1
            notes[NEW_RUN] = row.run
        elif row.step < self._last_step:
            notes[RESTART] = f"step went back from {self._last_step} to {row.step}"
        self._last_step = row.step
        values = {names[key]: value for key, value in row.values.items()}
        return Record(row.step, row.time, values, notes=notes)


def _adds(row: Row, held: Row) -> bool:
    """Whether a row completes the held one; a key stated anew is another observation of the step.

    Writers repeat what says where they are (an epoch) beside what they add.
    """
    again = row.values.keys() & held.values.keys()
    return row.values.keys() > again and all(row.values[key] == held.values[key] for key in again)


class LineReader:
    """Records out of the lines of one program or file; finds the format as lines arrive.

    A weak format (`key: value` lines) gives way when a stronger one appears later: programs print
    many things before their first step.
    """

    def __init__(self, format: type[LineFormat] | None = None) -> None:
        self._fixed = format is not None
        self._format: LineFormat | None = format() if format else None
        self._head: list[str] = []
        self.assembler = Assembler(
            format.framework if format else None, bool(format and format.merges)
        )

    @property
    def format(self) -> str | None:
        """Name of the format, None while no line has told."""
        return self._format.name if self._format else None

    def feed(self, line: str) -> list[Record]:
        """Records that this line completes."""
        if not self._fixed:
            return self._search(line)
        assert self._format is not None
        return self._assemble(self._format.feed(line))

    def flush(self) -> list[Record]:
        """The step still open, for a live log that has gone quiet."""
        return self.assembler.flush()

    def close(self) -> list[Record]:
        """What the end of the log completes."""
        rows = self._format.close() if self._format else []
        return self._assemble(rows) + self.assembler.flush()

    def _assemble(self, rows: list[Row]) -> list[Record]:
        return [record for row in rows for record in self.assembler.add(row)]

    def _search(self, line: str) -> list[Record]:
        """Keeps the head until a format claims it, then reads the head with that format."""
        self._head.append(line)
        del self._head[:-HEAD_LINES]
        candidates = {form: form.claims(self._head[-50:]) for form in LINE_FORMATS.values()}
        best = max(candidates, key=lambda form: candidates[form])
        if candidates[best] <= 0:
            return []
        self.__init__(best)
        return [record for held in self._head for record in self.feed(held)]


class Log:
    """A log file or folder, growing or finished; raises UnreadableLog when no format fits."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._tail: Tail | None = None
        self._file: FileFormat | None = None
        kind = sniff(self.path)
        self.format: str = kind.name
        if kind.name in LINE_FORMATS:
            self._tail = Tail(self.path)
            self._lines = LineReader(LINE_FORMATS[kind.name])
            self.assembler = self._lines.assembler
        else:
            self._file = FILE_FORMATS[kind.name](self.path)
            self.assembler = Assembler(kind.framework, kind.merges)
        self._fresh = time.monotonic()

    @property
    def framework(self) -> str:
        """Framework that wrote the log, as far as its format and keys tell."""
        return self.assembler.names.framework or UNKNOWN

    @property
    def unmapped(self) -> list[str]:
        """Keys that are in no table; they are kept under their own names."""
        return list(self.assembler.names.unmapped)

    def new(self) -> list[Record]:
        """Records completed since the last call."""
        if self._file is not None:
            return [record for row in self._file.new() for record in self.assembler.add(row)]
        assert self._tail is not None
        records: list[Record] = []
        while lines := self._tail.lines():
            records += [record for line in lines for record in self._lines.feed(line)]
        return records

    def flush(self) -> list[Record]:
        """The step still open, for a live log that has gone quiet."""
        return self.assembler.flush()

    def close(self) -> list[Record]:
        """Everything left in a finished log."""
        records = self.new()
        if self._file is not None:
            rows = self._file.close()
            records += [record for row in rows for record in self.assembler.add(row)]
        if self._tail is not None:
            half = self._tail.rest()
            records += (self._lines.feed(half) if half else []) + self._lines.close()
        return records + self.assembler.flush()


def sniff(path: Path) -> type[LineFormat] | type[FileFormat]:
    """The format of a file or folder. Raises UnreadableLog, FileNotFoundError."""
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    claims: dict[type[LineFormat] | type[FileFormat], float] = {
        form: form.claims(path) for form in FILE_FORMATS.values()
    }
    head: list[str] = []
    if path.is_file():
        tail = Tail(path)
        head = (tail.lines() or [tail.rest()])[:HEAD_LINES]
        claims |= {form: form.claims(head) for form in LINE_FORMATS.values()}
    best = max(claims, key=lambda form: claims[form])
    if claims[best] <= 0:
        tried = ", ".join([*FILE_FORMATS, *LINE_FORMATS])
        example = next((line for line in head if line.strip()), "")[:120]
        raise UnreadableLog(
            f"{path} fits no known format. Tried: {tried}. "
            f"Its first line is {example!r}. If this is a training log, add its format in one "
            "file (CONTRIBUTING.md, 'Add a log format')."
        )
    return best


def read(path: Path | str) -> tuple[list[Record], Log]:
    """All records of a finished log, and the log for its format, framework and unmapped keys."""
    log = Log(path)
    return log.close(), log
