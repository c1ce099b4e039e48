"""Bytes of several output streams, as they arrive, into the lines of one log.

A line belongs to one stream, so halves of different streams are never joined. A progress bar
redraws its line with carriage returns and may not end it for hours, yet some logs tell their step
nowhere else: what it has drawn is passed on, as a line of its own, before the next line of another
stream and whenever it has become long.
"""

from __future__ import annotations

LONG_BAR = 1 << 12
LONGEST_HALF = 1 << 20
"""Bytes of an unfinished line that are kept, the latest ones."""


class Lines:
    """Of any number of streams."""

    def __init__(self) -> None:
        self._halves: dict[int, bytes] = {}

    def feed(self, stream: int, data: bytes) -> list[str]:
        """The lines that these bytes complete, with what progress bars drew before them."""
        *complete, half = (self._halves.pop(stream, b"") + data).split(b"\n")
        lines = self._drawn() if complete else []
        lines += complete
        if len(half) > LONG_BAR and b"\r" in half:
            drawn, _, last = half.rpartition(b"\r")
            lines.append(drawn)
            half = b"\r" + last
        self._halves[stream] = half[-LONGEST_HALF:]
        return [line.decode("utf-8", "replace") for line in lines]

    def close(self) -> list[str]:
        """The half lines at the end."""
        halves = [half.decode("utf-8", "replace") for half in self._halves.values() if half]
        self._halves.clear()
        return halves

    def _drawn(self) -> list[bytes]:
        """What the progress bars of the other streams have drawn since the last call."""
        bars = [stream for stream, half in self._halves.items() if b"\r" in half]
        return [self._halves.pop(stream) for stream in bars]
