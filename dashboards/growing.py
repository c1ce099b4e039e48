"""An array that grows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Growing:
    """An array that is appended to; its buffer doubles."""

    def __init__(self, kind: Any) -> None:
        self._buffer: NDArray[Any] = np.zeros(256, kind)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def array(self) -> NDArray[Any]:
        """What is in it, not copied."""
        return self._buffer[: self._count]

    def append(self, value: Any) -> None:
        if self._count == len(self._buffer):
            self._buffer = np.concatenate([self._buffer, np.zeros_like(self._buffer)])
        self._buffer[self._count] = value
        self._count += 1

    def insert(self, row: int, value: Any) -> None:
        self.append(value)
        self._buffer[row + 1 : self._count] = self._buffer[row : self._count - 1].copy()
        self._buffer[row] = value
