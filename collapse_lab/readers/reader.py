"""From a log of any format to records: the part that all formats share.

`Log` follows a file or folder, `LineReader` is fed the lines of a running program. Both give
records under canonical names, one a step, in the order of the log, with a note where the step
went back (a restart) or another run begins.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from collapse_lab.readers import FILE_FORMATS, LINE_FORMATS
from collapse_lab.readers.aliases import UNKNOWN
from collapse_lab.readers.aliases.llm import LLM
from collapse_lab.readers.assembler import Assembler
from collapse_lab.readers.base import (
    LIKELY,
    SURE,
    Configured,
    FileFormat,
    LineFormat,
    Row,
    UnreadableLog,
)
from collapse_lab.records import NEW_RUN, Record
from collapse_lab.tail import Tail

HEAD_LINES = 4000
"""Lines kept until a format is known, and lines after which a likely format has proved itself."""
PATIENCE_LINES = 256
"""Lines for which a guess waits for something better: programs print many things at first."""


class LineReader:
    """Records out of the lines of one program or file; finds the format as lines arrive.

    Each line is shown to every format once, and all lines so far whenever their number has
    doubled: a format with no signature shows itself in several lines only. A likely format is
    taken at once and gives way to a stronger claim, a mere guess waits. The lines of before are
    kept and read then, so that no record is lost. After that only a framework's signature makes it
    give way: what looked like a log may have been printed by a rollout.
    """

    def __init__(self, format: type[LineFormat] | None = None, claim: float = SURE) -> None:
        self._reading: LineFormat | None = None
        self._claim = 0.0
        self._guess: type[LineFormat] | None = None
        self._guess_claim = 0.0
        self._head: deque[str] = deque(maxlen=HEAD_LINES)
        self._lines = 0
        self._search_until = math.inf
        self._is_new_run = False
        self._has_records = False
        self.assembler = Assembler(None, merges=False)
        if format is not None:
            self._take(format, claim)

    @property
    def format(self) -> str | None:
        """Name of the format, None while no line has told."""
        return self._reading.name if self._reading else None

    @property
    def config(self) -> Mapping[str, Any]:
        """What the lines so far say of how the run was set up."""
        return self._reading.config("") if isinstance(self._reading, Configured) else {}

    def feed(self, line: str) -> list[Record]:
        """Records that this line completes."""
        if self._lines < self._search_until:
            self._lines += 1
            self._head.append(line)
            self._look([line])
            if self._lines & (self._lines - 1) == 0:
                self._look(list(self._head))
            if self._guess and (self._guess_claim >= LIKELY or self._lines >= PATIENCE_LINES):
                return self._change()
        rows = self._reading.feed(line) if self._reading else []
        is_open = self._claim < SURE and self._lines >= self._search_until
        if is_open and not rows and (signed := _signed(line)):
            self._guess, self._guess_claim = signed, SURE
            self._head = deque([line], maxlen=HEAD_LINES)
            return self._change()
        return self._assemble(rows)

    def flush(self) -> list[Record]:
        """The step still open, for a live log that has gone quiet."""
        if self._reading is None:
            self._look(list(self._head))
        return self._change() + self._marked(self.assembler.flush())

    def close(self) -> list[Record]:
        """What the end of the log completes."""
        if self._reading is None:
            self._look(list(self._head))
        records = self._change()
        rows = self._reading.close() if self._reading else []
        return records + self._assemble(rows) + self._marked(self.assembler.flush())

    def _look(self, lines: list[str]) -> None:
        """Notes the format that claims the lines, if its claim is the strongest so far; a stronger
        one of the format that is read already is only remembered."""
        strongest = max(self._claim, self._guess_claim)
        for form in LINE_FORMATS.values():
            if (claim := form.claims(lines)) > strongest:
                self._guess, self._guess_claim = form, claim
                strongest = claim
        if self._reading and self._guess is type(self._reading):
            self._claim, self._guess, self._guess_claim = self._guess_claim, None, 0.0
            if self._claim >= SURE:
                self._search_until = 0
                self._head.clear()

    def _change(self) -> list[Record]:
        """Takes the format that is guessed and reads the lines so far with it."""
        if self._guess is None:
            return []
        self._is_new_run = self._has_records
        self._take(self._guess, self._guess_claim)
        assert self._reading is not None
        records: list[Record] = []
        for line in self._head:
            records += self._assemble(self._reading.feed(line))
        if self._claim >= SURE:
            self._head.clear()
        return records

    def _take(self, format: type[LineFormat], claim: float) -> None:
        self._reading, self._claim = format(), claim
        self._guess, self._guess_claim = None, 0.0
        self._search_until = 0 if claim >= SURE else self._lines + HEAD_LINES
        self.assembler = Assembler(format.framework, format.merges)

    def _assemble(self, rows: list[Row]) -> list[Record]:
        if not rows:
            return []
        return self._marked([record for row in rows for record in self.assembler.add(row)])

    def _marked(self, records: list[Record]) -> list[Record]:
        """The records, the first one marked where another format had records before."""
        if records and self._is_new_run:
            self._is_new_run = False
            notes = {**records[0].notes, NEW_RUN: f"read as {self.format} from here"}
            records = [replace(records[0], notes=notes), *records[1:]]
        self._has_records = self._has_records or bool(records)
        return records


_FRAMEWORKS = [form for form in LINE_FORMATS.values() if form.framework in LLM]


def _signed(line: str) -> type[LineFormat] | None:
    """The format whose signature a line bears."""
    return next((form for form in _FRAMEWORKS if form.claims([line]) >= SURE), None)


class Log:
    """A log file or folder, growing or finished.

    A text file in which nothing is recognised yet may still become a log: only `close` raises
    UnreadableLog for it, and the constructor for everything else that fits no format.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._tail: Tail | None = None
        self._file: FileFormat | None = None
        line, line_claim = _best_line_format(self.path)
        file, file_claim = _best_file_format(self.path)
        if file is not None and file_claim >= line_claim:
            self._file = file(self.path)
            self._assembler = Assembler(file.framework, file.merges)
        elif self.path.is_file():
            self._tail = Tail(self.path)
            self._lines = LineReader(line, line_claim)
        else:
            raise _unreadable(self.path)

    @property
    def format(self) -> str | None:
        """Name of the format, None while a text file has not told."""
        return self._file.name if self._file else self._lines.format

    @property
    def assembler(self) -> Assembler:
        """What gives the records of this log their names."""
        return self._assembler if self._file else self._lines.assembler

    @property
    def framework(self) -> str:
        """Framework that wrote the log, as far as its format and keys tell."""
        return self.assembler.names.framework or UNKNOWN

    @property
    def unmapped(self) -> list[str]:
        """Keys that are in no table; they are kept under their own names."""
        return list(self.assembler.names.unmapped)

    def config(self, run: str = "") -> Mapping[str, Any]:
        """What the log so far says of how a run was set up, {} where it does not, or where that
        cannot be read. `run` is the name that a `NEW_RUN` note gives it, "" for the only one."""
        if self._file is None:
            return self._lines.config
        try:
            return self._file.config(run) if isinstance(self._file, Configured) else {}
        except (OSError, UnreadableLog):
            return {}

    def new(self) -> list[Record]:
        """Records completed since the last call. Raises OSError when the log cannot be read."""
        if self._file is not None:
            try:
                rows = self._file.new()
            except FileNotFoundError:  # gone; what may come in its place is read then
                return []
            return [record for row in rows for record in self.assembler.add(row)]
        assert self._tail is not None
        records: list[Record] = []
        try:
            while lines := self._tail.lines():
                for line in lines:
                    records += self._lines.feed(line)
        except OSError:
            if not records:  # else the next call meets it, and what was read is not lost
                raise
        return records

    def flush(self) -> list[Record]:
        """The step still open, for a live log that has gone quiet."""
        return self.assembler.flush() if self._file else self._lines.flush()

    def close(self) -> list[Record]:
        """Everything left in a finished log. Raises UnreadableLog when it was none."""
        records = self.new()
        if self._file is not None:
            rows = self._file.close()
            records += [record for row in rows for record in self.assembler.add(row)]
            return records + self.assembler.flush()
        assert self._tail is not None
        records += self.new()  # raises what may have cut the first call short
        half = self._tail.rest()
        records += (self._lines.feed(half) if half else []) + self._lines.close()
        if self._lines.format is None:
            raise _unreadable(self.path)
        return records


def sniff(path: Path) -> type[LineFormat] | type[FileFormat]:
    """The format of a file or folder as it stands. Raises UnreadableLog, FileNotFoundError."""
    line, line_claim = _best_line_format(path)
    file, file_claim = _best_file_format(path)
    if file is not None and file_claim >= line_claim:
        return file
    if line is None:
        raise _unreadable(path)
    return line


def read(path: Path | str) -> tuple[list[Record], Log]:
    """All records of a finished log, and the log for its format, framework and unmapped keys.

    Raises OSError, UnreadableLog and ImportError for what cannot be read, UnreadableLog without
    any record.
    """
    log = Log(path)
    if not (records := log.close()):
        raise UnreadableLog(f"{path} holds no records yet: there is nothing to judge")
    return records, log


def _best_file_format(path: Path) -> tuple[type[FileFormat] | None, float]:
    best, strongest = None, 0.0
    for form in FILE_FORMATS.values():
        if (claim := form.claims(path)) > strongest:
            best, strongest = form, claim
    return best, strongest


def _best_line_format(path: Path) -> tuple[type[LineFormat] | None, float]:
    best, strongest = None, 0.0
    head = _head(path)
    for form in LINE_FORMATS.values():
        if strongest < SURE and (claim := form.claims(head)) > strongest:
            best, strongest = form, claim
    return best, strongest


def _head(path: Path) -> list[str]:
    """The first lines of a file; none of a folder. Raises FileNotFoundError, UnreadableLog."""
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    if path.is_dir():
        return []
    if not path.is_file():  # opening a pipe would wait for its writer
        raise UnreadableLog(f"{path} is no file: save what comes out of it to a file first")
    tail = Tail(path)
    return (tail.lines() or [tail.rest()])[:HEAD_LINES]


def _unreadable(path: Path) -> UnreadableLog:
    if path.is_dir():
        names = sorted(entry.name for entry in path.iterdir())
        shown = ", ".join(names[:5] + ["..."] * (len(names) > 5))
        seen = f"It is a folder ({shown or 'empty'}): give the logs in it one by one"
    elif line := next((line for line in _head(path) if line.strip()), ""):
        seen = f"Its first line is {line[:120]!r}"
    else:
        return UnreadableLog(f"{path} is empty")
    tried = ", ".join([*FILE_FORMATS, *LINE_FORMATS])
    return UnreadableLog(
        f"{path} fits no known format. Tried: {tried}. {seen}. If this is a training log, add its "
        "format in one file (CONTRIBUTING.md, 'Add a log format')."
    )
