"""JSON lines: one object a line, the step under one of the usual names, nested names joined.

The metrics.jsonl of tinker-cookbook and ROLL, and most home-grown loops. Bare `NaN` and
`Infinity` are read though they are not JSON: Python's `json.dumps` writes them. A null is a NaN
where a number was due, else a value that was not logged (`nulls.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from typing import Any, ClassVar, cast

from collapse_lab.readers.base import Row
from collapse_lab.readers.fields import FieldReader, flatten


class JsonLines:
    """Rows are the objects that hold a step; in a log without steps they are counted.

    Objects without a step are a config or a summary, unless no object of the log has one: a
    config comes once, so the second object with the same keys says that they are rows.
    """

    name: ClassVar[str] = "jsonl"
    framework: ClassVar[str | None] = None
    merges: ClassVar[bool] = True

    def __init__(self) -> None:
        self._fields = FieldReader()
        self._held: tuple[Set[str], Row] | None = None
        self._counted: Set[str] | None = None
        self._config: Mapping[str, Any] = {}

    @classmethod
    def claims(cls, head: list[str]) -> float:
        lines = [line for line in head if line.strip()]
        form = cls()
        objects = [line for line in lines if form.parse(line) is not None]
        if not any(form.feed(line) for line in objects):
            return 0.0
        return 0.6 if 2 * len(objects) > len(lines) else 0.3

    def feed(self, line: str) -> list[Row]:
        fields = self.parse(line)
        if fields is None:
            return []
        row = self._fields.row(fields)
        if not row.values:
            return []
        if row.step is not None:
            return [row]
        if self._fields.has_step:
            return []
        keys = fields.keys()
        if keys == self._counted:
            return [row]
        held, self._held = self._held, (keys, row)
        if held is None or held[0] != keys:
            return []
        self._counted = keys
        return [held[1], row]

    def close(self) -> list[Row]:
        return []

    def config(self, run: str) -> Mapping[str, Any]:
        return self._config

    def parse(self, line: str) -> dict[str, Any] | None:
        """The flat fields of a line that is a JSON object, else None."""
        text = line.strip()
        if not (text.startswith("{") and text.endswith("}")):
            return None
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return None
        stated = document.pop("config", None)  # RLlib repeats it in every line
        if isinstance(stated, dict):
            self._config = cast(dict[str, Any], stated)
        nested = any(isinstance(value, dict) for value in document.values())
        return dict(flatten(document)) if nested else document
