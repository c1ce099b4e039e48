"""What one run is to the app: columns over its steps, whether its writer is done or not.

A step that goes back is a restart, and where attempts overlap the last one counts, as in
`frames.to_frame`. NaN, infinities and missing are kept apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Column:
    """One signal over the rows of a run; where `present` is False nothing was logged."""

    values: Floats
    present: NDArray[np.bool_]

    @property
    def finite(self) -> NDArray[np.bool_]:
        return self.present & np.isfinite(self.values)


@dataclass(frozen=True, slots=True)
class Happened:
    """A note of a record about the run: `name` is one such as `records.RESTART`."""

    step: int
    name: str
    text: str


class Columns(Protocol):
    """The rows of one run, in the order of their steps.

    `version` changes when rows that were there have changed, as after a restart.
    """

    @property
    def rows(self) -> int: ...
    @property
    def version(self) -> int: ...
    @property
    def live(self) -> bool: ...
    @property
    def whole(self) -> bool:
        """Whether all that has been written was read by the last `refresh`."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """The signals that it logs, in the order of their first appearance."""
        ...

    @property
    def steps(self) -> NDArray[np.int64]: ...
    @property
    def times(self) -> Floats:
        """Unix seconds; NaN where the log does not tell."""
        ...

    @property
    def attempts(self) -> NDArray[np.int64]: ...
    @property
    def events(self) -> Sequence[Happened]:
        """What happened to the run, as its records note it."""
        ...

    @property
    def nbytes(self) -> int: ...

    def refresh(self, seconds: float = math.inf) -> None:
        """Takes in what has been written since; of much, what can be read in about so long."""
        ...

    def read(self, names: Iterable[str]) -> dict[str, Column]:
        """Columns by name; a name that the run does not log is left out."""
        ...
