"""The runs that people look at, held as columns within a bound of memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from weakref import WeakValueDictionary

from collapse_lab.dashboards.columns import Columns
from collapse_lab.dashboards.open_columns import OpenColumns
from collapse_lab.dashboards.sealed_columns import SealedColumns
from collapse_lab.store import RECORDS, SEALED

READ_SECONDS = 0.6
"""How long a page waits for a long run that is not sealed; then it shows what has been read."""


class Library:
    """The columns of the runs that people look at, the longest unused let go of first.

    Memory is bounded by `most_bytes` and by one open run, which has to be held whole.
    """

    def __init__(self, most_bytes: int = 768 << 20) -> None:
        self._most = most_bytes
        self._held: OrderedDict[tuple[Path, object], Columns] = OrderedDict()
        self._open: WeakValueDictionary[Path, OpenColumns] = WeakValueDictionary()
        self._lock = threading.RLock()

    def columns(self, folder: Path) -> Columns:
        """A run's columns as they stand now, of a long open run as far as they have been read.

        Raises FileNotFoundError for a folder that is gone."""
        key = folder, _identity(folder)
        with self._lock:
            held = self._held.get(key)
            if held is None:
                sealed = key[1] is not None
                held = SealedColumns(folder / SEALED) if sealed else self.opened(folder)
                self._let_go(folder)
                self._held[key] = held
            self._held.move_to_end(key)
        held.refresh(READ_SECONDS)
        self._trim(held)
        return held

    def opened(self, folder: Path) -> OpenColumns:
        """The columns of a run that is not sealed, not read on: the same ones for all who hold
        them, so that its lines are parsed once."""
        with self._lock:
            found = self._open.get(folder)
            if found is None:
                found = self._open[folder] = OpenColumns(folder)
            return found

    def forget(self, folder: Path) -> None:
        """Lets go of a run that is gone: another one may come to lie in its place."""
        with self._lock:
            self._let_go(folder)
            self._open.pop(folder, None)

    def _let_go(self, folder: Path) -> None:
        for old in [old for old in self._held if old[0] == folder]:
            del self._held[old]

    @property
    def nbytes(self) -> int:
        """What is held, in bytes."""
        return sum(columns.nbytes for columns in self._held.values())

    def _trim(self, current: Columns) -> None:
        with self._lock:
            while len(self._held) > 1 and self.nbytes > self._most:
                self._held.popitem(last=False)
            if isinstance(current, SealedColumns) and (over := self.nbytes - self._most) > 0:
                current.forget(over)


def _identity(folder: Path) -> object:
    """What tells one sealed file from the next of the same name; None for an open run."""
    try:
        status = (folder / SEALED).stat()
        return status.st_ino, status.st_size, status.st_mtime_ns
    except FileNotFoundError:
        if not (folder / RECORDS).exists() and not folder.exists():
            raise
        return None
