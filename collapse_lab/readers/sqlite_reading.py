"""Reading somebody else's SQLite database without getting in its way."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from collapse_lab.readers.base import UnreadableLog

MAGIC = b"SQLite format 3\x00"
PATIENCE = 5.0
"""Seconds to wait for a writer's lock; a database locked for longer is read at the next look."""


def query(path: Path, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Rows of one query on a connection of its own, read-only and gone at once.

    [] when a writer holds the database locked, or comes while we read; UnreadableLog when SQLite
    cannot read it, such as after a crash that only a writer may roll back.

    A database in WAL mode that nobody has open lacks its side files; even a read-only connection
    would create them, and a folder we may not write to would refuse it. It is then read as a file
    that does not change, and what was read counts only if it has not changed.
    """
    at_rest = _in_wal_mode(path) and not _wal(path).exists()
    modified = path.stat().st_mtime_ns
    mode = "mode=ro&immutable=1" if at_rest else "mode=ro"
    connection = sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True, timeout=PATIENCE)
    try:
        rows = connection.execute(statement, values).fetchall()
    except sqlite3.Error as error:
        if "locked" in str(error):
            return []
        raise UnreadableLog(f"SQLite cannot read {path}: {error}") from error
    finally:
        connection.close()
    changed = _wal(path).exists() or path.stat().st_mtime_ns != modified
    return [] if at_rest and changed else rows


def columns(path: Path, table: str) -> set[str]:
    """Column names of a table; empty when there is no such table or the file is no database."""
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                return set()
        return {name for _, name, *_ in query(path, f"PRAGMA table_info({table})")}
    except (OSError, UnreadableLog):
        return set()


def _in_wal_mode(path: Path) -> bool:
    """Byte 18 of the file header, the write version: 2 for WAL."""
    with path.open("rb") as file:
        return file.read(19)[18:] == b"\x02"


def _wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")
