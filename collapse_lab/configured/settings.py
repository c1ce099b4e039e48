"""A configuration as plain dotted names, whatever shape it was given in."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

MOST_DEPTH, MOST_LEAVES = 12, 20_000
"""A configuration is somebody else's: it may refer to itself."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`leaves` by dotted name: nested mappings are joined with dots, dotted names stay.

    Nothing here raises: what is absent, or of another kind than is asked for, is None.
    """

    leaves: Mapping[str, Any]

    @classmethod
    def of(cls, config: Any) -> Settings:
        """Of a mapping; of anything else, nothing."""
        if not isinstance(config, Mapping):
            return cls({})
        return cls(dict(itertools.islice(_leaves(config), MOST_LEAVES)))

    def below(self, place: str) -> Settings:
        """The settings whose names begin with `place`, without it."""
        inside = self.leaves.items()
        return Settings({k[len(place) :]: value for k, value in inside if k.startswith(place)})

    def states(self, *names: str) -> bool:
        """Whether all of these are stated, by whatever value."""
        return all(name in self.leaves for name in names)

    def number(self, name: str) -> float | None:
        """A finite number, in quotes or not."""
        return to_number(self.leaves.get(name))

    def text(self, name: str) -> str | None:
        value = self.leaves.get(name)
        return value if isinstance(value, str) else None

    def switch(self, name: str) -> bool | None:
        """True or False; some stores keep them as 1 and 0."""
        value = self.leaves.get(name)
        return bool(value) if isinstance(value, (int, float)) and value in (0, 1) else None

    def numbers(self, name: str) -> list[float]:
        """Of a list, those of its parts that are finite numbers."""
        value = self.leaves.get(name)
        parts = cast("Iterable[Any]", value) if isinstance(value, (list, tuple)) else ()
        return [number for part in parts if (number := to_number(part)) is not None]


def to_number(value: Any) -> float | None:
    """
    >>> to_number("1e-6"), to_number(2), to_number(True), to_number("${oc.env:X}"), to_number("nan")
    (1e-06, 2.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _leaves(config: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    if not (isinstance(config, Mapping) and config and depth < MOST_DEPTH):
        yield name, config
        return
    try:
        pairs = list(cast("Mapping[Any, Any]", config).items())
    except Exception:  # OmegaConf's compute their values, and fail at one that refers to nothing
        return
    for key, value in pairs:
        yield from _leaves(value, f"{name}.{key}" if name else str(key), depth + 1)
