"""Bytes of several output streams, as they arrive, into the lines of one log.

A line belongs to one stream, so halves of different streams are never joined. A progress bar
redraws its line with carriage returns and may not end it for hours: its present state is passed
on before the next line of another stream, because some logs tell their step nowhere else.
"""

from __future__ import annotations

LONGEST_HALF = 1 << 16
"""Bytes of an unfinished line that are kept, the latest ones."""


class Lines:
    """Of any number of streams."""

    def __init__(self) -> None:
        self._halves: dict[int, bytes] = {}

    def feed(self, stream: int, data: bytes) -> list[str]:
        """The lines that these bytes complete, with the state of progress bars before them."""
        *complete, half = (self._halves.pop(stream, b"") + data).split(b"\n")
        lines = [bar for bar in map(_state, self._halves.values()) if bar] if complete else []
        self._halves[stream] = half[-LONGEST_HALF:]
        return lines + [line.decode("utf-8", "replace") for line in complete]

    def close(self) -> list[str]:
        """The half lines at the end."""
        halves = [half.decode("utf-8", "replace") for half in self._halves.values() if half]
        self._halves.clear()
        return halves


def _state(half: bytes) -> str:
    """What a progress bar shows now; empty for an unfinished line that is none."""
    *drawn, last = half.split(b"\r")
    return (last or drawn[-1]).decode("utf-8", "replace") if drawn else ""
