"""verl: console lines of `Tracking`'s console backend, in each of their three number formats.

`step:12 - actor/entropy:0.09 - actor/lr:1e-06 - ...`, usually behind a Ray prefix, sometimes
behind a progress bar on the same line; numbers as `:.3f` (to mid-2025), four significant digits,
or full repr with `np.float64(...)` around NumPy scalars.
Source: verl `utils/logger/aggregate_logger.py`, `utils/tracking.py`.
"""

from __future__ import annotations

import re
from typing import ClassVar

from collapse_lab.readers.base import Row, clean, number

_STEP = re.compile(r"step:(\d+) - (?=\S+:)")


class VerlConsole:
    """`step:N - key:value - key:value`; searched for, not anchored at the line's start."""

    name: ClassVar[str] = "verl-console"
    framework: ClassVar[str | None] = "verl"
    merges: ClassVar[bool] = False

    @classmethod
    def claims(cls, head: list[str]) -> float:
        form = cls()
        return 0.9 if any(form.feed(line) for line in head) else 0.0

    def feed(self, line: str) -> list[Row]:
        found = _STEP.search(line)
        if not found:
            return []
        values: dict[str, float] = {}
        for token in clean(line[found.end() :]).split(" - "):
            key, colon, text = token.partition(":")
            if colon and (value := number(text)) is not None:
                values[key.strip()] = value
        return [Row(int(found[1]), values)] if values else []

    def close(self) -> list[Row]:
        return []
