"""Complete lines of a text file that may still be growing.

The half line at the end waits for its newline, a rotated or truncated file is read again from
its start, and bytes that are not UTF-8 are kept as replacement characters: whatever a log does,
following it neither fails nor skips.
"""

from __future__ import annotations

import os
from pathlib import Path

CHUNK = 1 << 22


class Tail:
    """Follows one file by byte offset.

    `rotations` counts how often the file was replaced or truncated under us. Carriage returns
    stay inside a line: progress bars redraw with them and readers look at the last state.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.rotations = 0
        self._offset = 0
        self._inode = -1
        self._half = b""

    def lines(self) -> list[str]:
        """Lines completed since the last call; at most a few megabytes a call, so loop until []."""
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                if self._inode not in (-1, status.st_ino) or status.st_size < self._offset:
                    self.rotations += 1
                    self._offset, self._half = 0, b""
                self._inode = status.st_ino
                file.seek(self._offset)
                chunk = file.read(CHUNK)
                self._offset = file.tell()
        except FileNotFoundError:
            return []
        if not chunk:
            return []
        *complete, self._half = (self._half + chunk).split(b"\n")
        if not complete:
            return self.lines()
        return [line.decode("utf-8", "replace") for line in complete]

    def rest(self) -> str:
        """The half line at the end, for a file known to be finished; it is consumed."""
        half, self._half = self._half, b""
        return half.decode("utf-8", "replace")
