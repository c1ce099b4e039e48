"""Python dicts printed by home-grown loops: `{'step': 12, 'loss': 0.1, 'kl': nan}`, or behind text.

Where the dict does not say its step, the text before it may: `Step 12: {'loss': 0.1}`. Else the
dicts are counted, as JSON objects without a step are. A JSON object behind text, such as a logger
puts before it, is read likewise where it has two numbers and their step is stated: programs print
others, too.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from collapse_lab.readers.base import clean
from collapse_lab.readers.fields import step_candidates, to_number
from collapse_lab.readers.jsonl import JsonLines
from collapse_lab.readers.literals import dicts

LEAST_NUMBERS = 2
"""A dict with fewer entries is more likely an argument than a measurement."""

_STEP = re.compile(
    r"\b(?:global[ _]step|step|iteration|iter|update)\W{1,3}(\d{1,18})\b", re.IGNORECASE
)


class DictLines(JsonLines):
    """Rows are the dicts with a step, their own or the text's; without any they are counted."""

    name: ClassVar[str] = "dict-lines"

    @classmethod
    def claims(cls, head: list[str]) -> float:
        return min(0.3, super().claims(head))

    def parse(self, line: str) -> dict[str, Any] | None:
        """The flat fields of the last dict in a line, or of the object that it ends with."""
        if "{'" not in line and '{"' not in line:
            return None
        text = clean(line)
        if found := list(dicts(text)):
            start, items = found[-1]
            fields: dict[str, Any] = {
                key: None if value == "None" else value for key, value in items.items()
            }
        else:
            start = text.find('{"')
            fields = (super().parse(text[start:]) if start > 0 else None) or {}
        if not step_candidates(fields) and (steps := _STEP.findall(text[:start])):
            fields["step"] = steps[-1]
        if found:
            return fields if len(found[-1][1]) >= LEAST_NUMBERS else None
        numbers = sum(to_number(value) is not None for value in fields.values())
        return fields if step_candidates(fields) and numbers > LEAST_NUMBERS else None
