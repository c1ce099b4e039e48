"""The hand-off from the relay to the observer: framed bytes over a pipe that never blocks.

What the pipe does not take waits in memory, and beyond a limit in a temporary file: the command
is never held up by a slow observer, and nothing that it printed is lost to it. Once the disk takes
no more, memory has to do.
"""

from __future__ import annotations

import math
import os
import struct
import tempfile
from collections import deque
from collections.abc import Iterator
from typing import IO

MEMORY_LIMIT = 32 << 20
CHUNK = 1 << 16
STARTED, CLOSED, ENDED = 101, 102, 103
"""Kinds of frame beside the output streams 1 and 2: the command's pid, a descriptor that the
relay has closed and the observer must close, too, and the command's exit code."""
_HEADER = struct.Struct("!BI")


def frame(kind: int, payload: bytes) -> bytes:
    """One frame: its kind, its length, its bytes."""
    return _HEADER.pack(kind, len(payload)) + payload


class Feed:
    """The relay's end. `broken` turns true when nobody reads any more; then nothing is kept."""

    def __init__(self, descriptor: int, memory_limit: int = MEMORY_LIMIT) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self.broken = False
        self._limit: float = memory_limit
        self._waiting: deque[memoryview] = deque()
        self._held = 0
        self._spill: IO[bytes] | None = None
        self._spilled = self._fetched = 0

    @property
    def waiting(self) -> int:
        """Bytes that the observer has yet to take."""
        return self._held + self._spilled - self._fetched

    def send(self, kind: int, payload: bytes) -> None:
        """Hands one frame over, now or later."""
        if self.broken:
            return
        data = frame(kind, payload)
        behind = self._spilled > self._fetched or self._held > self._limit
        if not (behind and self._write_spill(data)):
            self._waiting.append(memoryview(data))
            self._held += len(data)
        self.pump()

    def pump(self) -> None:
        """Moves on what the pipe takes at this moment."""
        try:
            while self._waiting or self._fetch():
                data = self._waiting[0]
                sent = os.write(self.descriptor, data)
                self._held -= sent
                if sent == len(data):
                    self._waiting.popleft()
                else:
                    self._waiting[0] = data[sent:]
        except BlockingIOError:
            pass
        except OSError:
            self.close()

    def close(self) -> None:
        """No more: the observer sees the end of the pipe."""
        if not self.broken:
            self.broken = True
            self._waiting.clear()
            self._held = self._spilled = self._fetched = 0
            os.close(self.descriptor)

    def _write_spill(self, data: bytes) -> bool:
        """False when the disk takes no more: what lies there comes back, and all stays in memory
        from then on."""
        try:
            if self._spill is None:
                self._spill = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (it stays open)
            self._spill.seek(self._spilled)
            if self._spill.write(data) == len(data):
                self._spilled += len(data)
                return True
        except OSError:
            pass
        self._limit = math.inf
        while self._fetch():
            pass
        return False

    def _fetch(self) -> bool:
        """Takes the next piece out of the spill file; False when it holds no more."""
        if self._spill is None or self._fetched == self._spilled:
            return False
        self._spill.seek(self._fetched)
        piece = self._spill.read(min(CHUNK, self._spilled - self._fetched))
        self._fetched += len(piece)
        self._held += len(piece)
        self._waiting.append(memoryview(piece))
        if self._fetched == self._spilled:
            self._spill.truncate(0)
            self._spilled = self._fetched = 0
        return True


class Frames:
    """The observer's end: bytes as they arrive -> whole frames."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The frames that these bytes complete."""
        self._held += data
        while len(self._held) >= _HEADER.size:
            kind, length = _HEADER.unpack_from(self._held)
            end = _HEADER.size + length
            if len(self._held) < end:
                return
            yield kind, bytes(self._held[_HEADER.size : end])
            del self._held[:end]
