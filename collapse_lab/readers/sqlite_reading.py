"""Reading somebody else's SQLite database without getting in its way."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

MAGIC = b"SQLite format 3\x00"
PATIENCE = 5.0
"""Seconds to wait for a writer's lock; a database locked for longer is read at the next look."""


def query(path: Path, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Rows of one query on a connection of its own, read-only and gone at once.

    [] when a writer holds the database locked.
    """
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=PATIENCE)
    try:
        return connection.execute(statement, values).fetchall()
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            return []
        raise
    finally:
        connection.close()


def columns(path: Path, table: str) -> set[str]:
    """Column names of a table; empty when there is no such table or the file is no database."""
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                return set()
        return {name for _, name, *_ in query(path, f"PRAGMA table_info({table})")}
    except (OSError, sqlite3.Error):
        return set()
