"""One JSON document: a dict of equally long lists, or a list of dicts, at the top or one below.

Home-grown loops dump their history so: `{"mean_reward": [...], "loss": [...]}`,
`[{"step": 0, ...}, ...]`, `{"config": {...}, "steps": [{...}, ...]}`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

from collapse_lab.readers.base import Row
from collapse_lab.readers.fields import TABLE_STEP_KEYS, FieldReader, flatten, step_candidates

Table = list[dict[str, Any]]
FEWEST = 5
"""Rows without a step that make a log: a config may hold a short list of numbers too."""


class JsonDocument:
    """The table of numbers in the document, read anew whenever the file has changed.

    A document that does not parse is being written and waits for the next look.
    """

    name: ClassVar[str] = "json"
    framework: ClassVar[str | None] = None
    merges: ClassVar[bool] = True

    @classmethod
    def claims(cls, path: Path) -> float:
        if path.suffix != ".json" or not path.is_file():
            return 0.0
        rows = cls(path).new()
        if any(row.step is not None for row in rows):
            return 0.5
        return 0.3 if len(rows) >= FEWEST else 0.0

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._read: Table = []
        self._fields = FieldReader(TABLE_STEP_KEYS)
        self._config: Mapping[str, Any] = {}

    def new(self) -> list[Row]:
        status = self._path.stat()
        if (status.st_size, status.st_mtime_ns) == self._seen:
            return []
        self._seen = (status.st_size, status.st_mtime_ns)
        try:
            document = json.loads(self._path.read_bytes())
            table = find_table(document)
        except (ValueError, RecursionError):
            return []
        stated = (
            cast(dict[str, Any], document).get("config") if isinstance(document, dict) else None
        )
        self._config = cast(dict[str, Any], stated) if isinstance(stated, dict) else {}
        fresh = table[len(self._read) :] if table[:1] == self._read[:1] else table
        self._read = table
        rows = [self._fields.row(dict(flatten(entry))) for entry in fresh]
        return [row for row in rows if row.values]

    def close(self) -> list[Row]:
        return []

    def config(self, run: str) -> Mapping[str, Any]:
        return self._config


def find_table(document: Any) -> Table:
    """The table with a step, or else the longest, at the top or one level below; [] for none."""
    inner = cast(dict[str, Any], document).values() if isinstance(document, dict) else ()
    tables: list[Table] = [[]]
    for part in (cast(Any, document), *inner):
        tables += _tables(part)
    return max(tables, key=lambda table: (_has_step(table), len(table)))


def _has_step(table: Table) -> bool:
    return bool(table) and bool(step_candidates(table[0], TABLE_STEP_KEYS))


def _tables(part: Any) -> Iterator[Table]:
    if isinstance(part, list):
        entries = cast(list[Any], part)
        if entries and all(isinstance(entry, dict) for entry in entries):
            yield cast(Table, entries)
    elif isinstance(part, dict):
        columns = {key: cells for key, cells in cast(dict[str, Any], part).items() if _flat(cells)}
        for length in {len(cells) for cells in columns.values()}:
            alike = {key: cells for key, cells in columns.items() if len(cells) == length}
            yield [dict(zip(alike, row, strict=True)) for row in zip(*alike.values(), strict=True)]


def _flat(cells: Any) -> bool:
    """Whether this may be the column of a table."""
    return isinstance(cells, list) and not any(
        isinstance(cell, (dict, list)) for cell in cast(list[Any], cells)
    )
