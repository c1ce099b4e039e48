"""prime-rl: the log lines of its trainer and orchestrator.

`10:00:00 SUCCESS Step 12 | 34.5s | Loss 0.0123 | Entropy 0.2345 | Grad. Norm 0.0456 | ...`, with
`Loss: 0.0123` in older builds. Its metrics.jsonl lacks what is not finite; the names are in the
log, in a warning `Dropping 2 non-finite value(s) from metrics.jsonl: loss/mean, ...`.
Source: prime-rl `trainer/rl/train.py`, `monitors/file.py`.
"""

from __future__ import annotations

import math
import re
from typing import ClassVar

from collapse_lab.readers.base import SURE, Row, clean, number

_STEP = re.compile(r"\bStep (\d+) \| ")
_FIELD = re.compile(r"\s*([A-Z][\w. ]*?):?\s+(\S+)(?: (?:tokens/s|GiB))?\s*")
_TIME = re.compile(r"\s*(?:Time: )?(\d+(?:\.\d+)?)s\s*")
_DROPPED = re.compile(r"Dropping (\d+) non-finite value\(s\)[^:]*: (.*)")

DROPPED = "not finite: prime-rl dropped it from its metrics and warned"

_KEYS = {
    "Loss": "loss/mean",
    "Entropy": "entropy/all/mean",
    "Mismatch KL": "mismatch_kl/all/mean",
    "Grad. Norm": "optim/grad_norm",
    "LR": "optim/lr",
    "Max Vio": "max_vio/mean",
    "Reward": "reward/all/mean",
    "Off-Policy Level": "off_policy/mean",
}
"""Label on the console -> the key under which the same number goes to the trackers."""


class PrimeRlConsole:
    """One row a step; a warning about dropped values adds to the step before it."""

    name: ClassVar[str] = "prime-rl-console"
    framework: ClassVar[str | None] = "prime-rl"
    merges: ClassVar[bool] = True

    def __init__(self) -> None:
        self._step: int | None = None
        self._stated: set[str] = set()

    @classmethod
    def claims(cls, head: list[str]) -> float:
        form = cls()
        return SURE if any(form.feed(line) for line in head) else 0.0

    def feed(self, line: str) -> list[Row]:
        if "Step " in line and (found := _STEP.search(line := clean(line))):
            return self._row(int(found[1]), line[found.end() :])
        if "non-finite" in line and self._step is not None:
            return self._dropped(self._step, clean(line))
        return []

    def close(self) -> list[Row]:
        return []

    def _row(self, step: int, text: str) -> list[Row]:
        values: dict[str, float] = {}
        for part in text.split(" | "):
            if took := _TIME.fullmatch(part):
                values["time/step"] = float(took[1])
            elif field := _FIELD.fullmatch(part):
                value = number(field[2])
                if value is not None:
                    values[_KEYS.get(field[1], field[1])] = value
        if not values.keys() & _KEYS.values():
            return []
        self._step, self._stated = step, set(values)
        return [Row(step, values)]

    def _dropped(self, step: int, text: str) -> list[Row]:
        found = _DROPPED.search(text)
        if found is None:
            return []
        names = [name for name in found[2].split(", ") if name not in self._stated]
        self._stated.update(names)
        if not names:
            return []
        return [Row(step, dict.fromkeys(names, math.nan), notes=dict.fromkeys(names, DROPPED))]
