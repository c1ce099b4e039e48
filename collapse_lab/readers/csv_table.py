"""Tables with a header: comma, semicolon or tab, quoted or not, one row a step.

Stable-Baselines3, baselines and RLlib write `progress.csv`, Spinning Up a tab table, everybody
else `pandas.to_csv`. A table may stack several runs, named by its first column. An empty cell is
a value that was not logged; "nan" is a NaN that was. Between semicolons a comma may be a decimal
one.
"""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path
from typing import ClassVar

from collapse_lab.readers.base import Row
from collapse_lab.readers.fields import (
    TABLE_STEP_KEYS,
    FieldReader,
    moment,
    step_candidates,
    to_number,
)
from collapse_lab.tail import Tail

RUN_KEYS = ("run", "run_id", "run_name", "arm", "experiment", "variant", "trial", "seed")
SUFFIXES = (".csv", ".tsv")
HEAD_LINES = 50
DECIMAL_COMMA = re.compile(r"([+-]?\d*),(\d+(?:[eE][+-]?\d+)?)")
STRAY_QUOTE = 1000
"""A cell that stays open for more lines than this began with a stray quote."""


class CsvTable:
    """Follows a table that grows, and one that is written anew with more columns or rows.

    Writers that meet a new key (Stable-Baselines3) or dump a whole history (pandas) rewrite the
    file in place. It is the same run when its first row still says the same, and then the rows
    that were read before are skipped.
    """

    name: ClassVar[str] = "csv"
    framework: ClassVar[str | None] = None
    merges: ClassVar[bool] = True

    @classmethod
    def claims(cls, path: Path) -> float:
        if not path.is_file():
            return 0.0
        table = Table()
        lines = Tail(path).lines()[:HEAD_LINES]
        rows = [cells for line in lines if (cells := table.feed(line)) is not None]
        named = 0.2 * bool(step_candidates(table.columns, TABLE_STEP_KEYS))
        if not rows:
            empty = path.stat().st_size == 0
            return max(named, 0.1 * empty) if path.suffix in SUFFIXES else 0.0
        cells = [cell for row in rows for cell in row.values()]
        numbers = sum(to_number(cell) is not None for cell in cells)
        if table.ragged or 3 * numbers < len(cells) or not numbers:
            return 0.0
        return 0.3 + named + 0.2 * (path.suffix in SUFFIXES)

    def __init__(self, path: Path) -> None:
        self._path = path
        self._first: dict[str, str] = {}
        self._held: list[dict[str, str]] = []
        self._fields = FieldReader(TABLE_STEP_KEYS)
        self._read = 0
        self._start()

    def new(self) -> list[Row]:
        rows: list[Row] = []
        if self._rewritten():
            self._start()
        while lines := self._tail.lines():
            if self._tail.rotations:
                self._start()
            else:
                rows += [row for line in lines for row in self._add(self._table.feed(line))]
        return rows

    def close(self) -> list[Row]:
        rows = self._add(self._table.close(self._tail.rest()))
        rows += self._decide(None) if self._held else []
        return [row for row in rows if row.step is not None or not self._fields.has_step]

    def _start(self) -> None:
        """Reads from the top, for the first time or again."""
        self._tail = Tail(self._path)
        self._table = Table()
        self._again = self._read
        self._read = 0

    def _rewritten(self) -> bool:
        """Whether the file no longer begins with the header that we read."""
        try:
            with self._path.open("rb") as file:
                head = [file.readline().decode("utf-8", "replace") for _ in self._table.head]
        except FileNotFoundError:
            return False
        return head != self._table.head

    def _add(self, cells: dict[str, str] | None) -> list[Row]:
        if cells is None:
            return []
        self._read += 1
        if self._read == 1 and cells != self._first:
            self._first, self._again = cells, 0
            self._fields = FieldReader(TABLE_STEP_KEYS)
            self._held = []
            self._decided = False
            self._run_column: str | None = None
        if self._read <= self._again:
            return []
        if self._decided:
            return self._row(cells)
        return self._find_run_column(cells)

    def _find_run_column(self, cells: dict[str, str]) -> list[Row]:
        """A first column of text names the run if the second row repeats it."""
        self._held.append(cells)
        column = self._table.columns[0]
        name = cells.get(column, "")
        if column.strip().lower() in RUN_KEYS:
            return self._decide(column)
        if to_number(name) is not None or not math.isnan(moment(name)) or not name:
            return self._decide(None)
        if len(self._held) < 2:
            return []
        return self._decide(column if name == self._held[0].get(column) else None)

    def _decide(self, run_column: str | None) -> list[Row]:
        self._decided, self._run_column = True, run_column
        held, self._held = self._held, []
        return [row for cells in held for row in self._row(cells)]

    def _row(self, cells: dict[str, str]) -> list[Row]:
        fields = {column: cell for column, cell in cells.items() if column != self._run_column}
        row = self._fields.row(fields, cells.get(self._run_column or "", ""))
        return [row] if row.values else []


class Table:
    """Lines of a table -> cells by column, empty cells left out."""

    def __init__(self) -> None:
        self.columns: list[str] = []
        self.head: list[str] = []
        """The lines up to the header, with their ends."""
        self.ragged = False
        self._delimiter = ","
        self._open: list[str] = []

    def feed(self, line: str) -> dict[str, str] | None:
        """The cells of the row that this line ends; None for a header, a comment or a part."""
        if not self.columns:
            self.head.append(line + "\n")
            if line.strip() and not line.startswith("#"):
                self._read_header(line)
            return None
        self._open.append(line)
        quotes = sum(part.count('"') for part in self._open)
        if quotes % 2 and len(self._open) < STRAY_QUOTE:
            return None
        return self._end_row()

    def close(self, rest: str) -> dict[str, str] | None:
        """The cells of a last line without its newline; one cut short loses the cell at the cut."""
        if not self.columns or not (rest or self._open):
            return None
        self._open.append(rest)
        return self._end_row(cut=True)

    def _end_row(self, cut: bool = False) -> dict[str, str] | None:
        text, self._open = "\n".join(self._open), []
        cells = self._split(text)
        if not any(cells):
            return None
        if cut and len(cells) < len(self.columns):
            cells.pop()
        if self._is_header(cells):
            self.columns = cells  # a resumed run appended to the table
            return None
        self.ragged |= len(cells) != len(self.columns)
        named = zip(self.columns, cells, strict=False)
        return {column: cell for column, cell in named if column and cell}

    def _read_header(self, line: str) -> None:
        text = line.lstrip("\ufeff").rstrip("\r")
        self._delimiter = max(",;\t", key=text.count)
        cells = self._split(text)
        titles = list(filter(None, cells))
        if len(titles) > 1 and not any(to_number(title) is not None for title in titles):
            self.columns = cells

    def _is_header(self, cells: list[str]) -> bool:
        known = len(set(self.columns).intersection(cells))
        return 2 * known > len(self.columns) and all(to_number(cell) is None for cell in cells)

    def _split(self, text: str) -> list[str]:
        try:
            rows = csv.reader([text], delimiter=self._delimiter)
            cells = [cell.strip() for row in rows for cell in row]
            return [_point(cell) for cell in cells] if self._delimiter == ";" else cells
        except csv.Error:  # a cell beyond the csv module's limit holds no number
            return []


def _point(cell: str) -> str:
    """
    >>> _point("-0,5"), _point("1,5e-3"), _point("1,2,3"), _point("a,5")
    ('-0.5', '1.5e-3', '1,2,3', 'a,5')
    """
    return ".".join(match.groups()) if (match := DECIMAL_COMMA.fullmatch(cell)) else cell
