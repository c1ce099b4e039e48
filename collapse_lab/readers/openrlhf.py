"""OpenRLHF: `INFO 08-13 10:00:00 ppo_trainer.py:547] ✨ Global step 12: {'reward': 0.4, ...}`.

The asynchronous trainer prints the same text without the sign.
Source: OpenRLHF `trainer/ppo_trainer.py`, `trainer/ppo_trainer_async.py`.
"""

from __future__ import annotations

import re
from typing import ClassVar

from collapse_lab.readers.base import SURE, Row, clean
from collapse_lab.readers.literals import dicts, numbers

_STEP = re.compile(r"\bGlobal step (\d+): (?=\{')")


class OpenRlhfConsole:
    """One dict a global step."""

    name: ClassVar[str] = "openrlhf-console"
    framework: ClassVar[str | None] = "openrlhf"
    merges: ClassVar[bool] = False

    @classmethod
    def claims(cls, head: list[str]) -> float:
        form = cls()
        return SURE if any(form.feed(line) for line in head) else 0.0

    def feed(self, line: str) -> list[Row]:
        if "Global step " not in line or not (found := _STEP.search(line := clean(line))):
            return []
        for _, items in dicts(line[found.end() :]):
            values, notes = numbers(items)
            return [Row(int(found[1]), values, notes=notes)] if values else []
        return []

    def close(self) -> list[Row]:
        return []
