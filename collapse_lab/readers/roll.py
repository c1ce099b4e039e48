"""ROLL: `metrics_tag: {"step": 3, "metrics": {...}}`, or the metrics alone, behind a log prefix.

Its StdoutTracker prints the former; the pipelines print the latter every `logging_steps`, with
`system/step` among the keys. Reducer tags (`actor/pg_loss@sum`) are taken off, as its own
trackers do. A metrics.jsonl is plain JSON lines.
Source: ROLL `utils/tracking.py`, `pipeline/`.
"""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar, cast

from collapse_lab.readers.base import SURE, Row, clean
from collapse_lab.readers.fields import FieldReader, flatten

_TAGGED = re.compile(r"metrics_tag: (?=\{)")
_BARE = re.compile(r"^[^{]*[\w\])] *(?:[:-] *)?(?=\{\")")
_STEP = "system/step"


class RollConsole:
    """A row per line; the bare line of a step that has had its tagged line says nothing new."""

    name: ClassVar[str] = "roll-console"
    framework: ClassVar[str | None] = "roll"
    merges: ClassVar[bool] = False

    def __init__(self) -> None:
        self._fields = FieldReader((_STEP,))
        self._tagged_step: int | None = None

    @classmethod
    def claims(cls, head: list[str]) -> float:
        form = cls()
        return SURE if any(form.feed(line) for line in head) else 0.0

    def feed(self, line: str) -> list[Row]:
        if '{"' not in line:
            return []
        text = clean(line)
        tagged = _TAGGED.search(text)
        found = tagged or _BARE.match(text)
        document = _parse(text[found.end() :]) if found else None
        if document is None:
            return []
        if tagged:
            metrics = document.get("metrics")
            if not isinstance(metrics, dict):
                return []
            document = {**cast(dict[str, Any], metrics), _STEP: document.get("step")}
        elif _STEP not in document or document[_STEP] == self._tagged_step:
            return []
        untagged = {key.partition("@")[0]: value for key, value in flatten(document)}
        row = self._fields.row(untagged)
        if tagged:
            self._tagged_step = row.step
        return [row] if row.step is not None and row.values else []

    def close(self) -> list[Row]:
        return []


def _parse(text: str) -> dict[str, Any] | None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cast(dict[str, Any], document) if isinstance(document, dict) else None
