"""Tables that Stable-Baselines3 and OpenAI baselines print: one box of `| key | value |` a step.

```
------------------------------
| rollout/         |         |
|    ep_rew_mean   | 21.8    |
| time/            |         |
|    total_timesteps | 4096  |
------------------------------
```
"""

from __future__ import annotations

import re
from typing import ClassVar

from collapse_lab.readers.base import LIKELY, Row, clean
from collapse_lab.readers.fields import TABLE_STEP_KEYS, FieldReader

_RULE = re.compile(r"-{8,}\s*")
_ENTRY = re.compile(r"\|( {1,8})(\S[^|]{0,80}?) *\| *([^|]*?) *\|\s*")
FEWEST = 2
"""Numbers in a box that make it a step."""


class ConsoleTable:
    """Rows are boxes between two rules; a box that is cut or interrupted gives none."""

    name: ClassVar[str] = "console-table"
    framework: ClassVar[str | None] = None
    merges: ClassVar[bool] = True

    def __init__(self) -> None:
        self._fields = FieldReader(TABLE_STEP_KEYS)
        self._box: dict[str, str] | None = None
        self._section = ""

    @classmethod
    def claims(cls, head: list[str]) -> float:
        form = cls()
        return LIKELY + 0.1 if any(form.feed(line) for line in head) else 0.0

    def feed(self, line: str) -> list[Row]:
        text = clean(line).rpartition("\r")[2]
        if _RULE.fullmatch(text):
            box, self._box, self._section = self._box, {}, ""
            row = self._fields.row(box or {})
            return [row] if len(row.values) + (row.step is not None) >= FEWEST else []
        entry = _ENTRY.fullmatch(text)
        if entry is None or self._box is None:
            self._box = None
        elif entry[2].endswith("/") and not entry[3]:
            self._section = entry[2]
        else:
            prefix = self._section if len(entry[1]) > 1 else ""
            self._box[prefix + entry[2]] = entry[3]
        return []

    def close(self) -> list[Row]:
        return []
