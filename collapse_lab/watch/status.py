"""The one line that `--follow` keeps at the foot of a terminal.

Only there: around a command every terminal that we could write to is one that the command itself
may be drawing on, so `watch -- CMD` shows nothing of its own until there is an alarm.
"""

from __future__ import annotations

import contextlib
from typing import TextIO

CLEAR = "\r\x1b[K"


class Status:
    """Nothing where the stream is no terminal. A terminal that was closed, or a pipe that nobody
    reads any more, is no reason to stop watching."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = ""
        self._terminal = stream.isatty()

    def show(self, text: str) -> None:
        """Replaces the line."""
        if self._terminal and text != self._shown:
            self._shown = text
            self._write(f"{CLEAR}{text}")

    def say(self, text: str) -> None:
        """Prints lines above it."""
        clear = CLEAR if self._shown else ""
        self._write(f"{clear}{text}\n{self._shown}")

    def close(self) -> None:
        """Takes the line away."""
        if self._shown:
            self._write(CLEAR)
        self._shown = ""

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._stream.write(text)
            self._stream.flush()
