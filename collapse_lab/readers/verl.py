"""verl: the console lines and the JSON lines of its `Tracking`.

Console: `step:12 - actor/entropy:0.09 - actor/lr:1e-06 - ...`, usually behind a Ray prefix,
sometimes behind a progress bar on the same line; numbers as `:.3f` (to mid-2025), four
significant digits, or full repr with `np.float64(...)` around NumPy scalars. File:
`{"step":12,"data":{...}}`, in which NaN and infinity are null. Before its first step the console
shows the whole configuration.
Source: verl `utils/logger/aggregate_logger.py`, `utils/tracking.py`, `trainer/main_ppo.py`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, ClassVar, cast

from collapse_lab.readers.base import SURE, Row, clean, number
from collapse_lab.readers.fields import to_number
from collapse_lab.readers.printed import PrintedDict
from collapse_lab.records import RESTART

_STEP = re.compile(r"(?<![\w/])step:(\d+) - (?=[^\s:]+:)")

CONFIGURED = SURE - 0.1
"""A claim by the configuration alone: the first step may be thousands of lines away."""
NULL = "null in the log: NaN or infinite, which the writer cannot express"


class VerlConsole:
    """`step:N - key:value - key:value`; searched for, not anchored at the line's start."""

    name: ClassVar[str] = "verl-console"
    framework: ClassVar[str | None] = "verl"
    merges: ClassVar[bool] = False

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._last_keys: set[str] = set()
        self._step = -1
        self._printed = PrintedDict("actor_rollout_ref")

    @classmethod
    def claims(cls, head: list[str]) -> float:
        form = cls()
        if any(form.feed(line) for line in head):
            return SURE
        return CONFIGURED if form._printed.begun else 0.0

    def feed(self, line: str) -> list[Row]:
        self._printed.feed(line)
        if "step:" not in line or not (found := _STEP.search(line)):
            return []
        values: dict[str, float] = {}
        text, _, _ = clean(line[found.end() :]).partition("\r")
        key = ""
        for token in text.split(" - "):
            key, _, raw = token.partition(":")
            if (value := number(raw)) is not None:
                values[key] = value
        if self._is_cut(values, key):
            values.pop(key, None)
        return self._row(int(found[1]), values)

    def close(self) -> list[Row]:
        return []

    def config(self, run: str) -> Mapping[str, Any]:
        return self._printed.found

    def _is_cut(self, values: dict[str, float], last: str) -> bool:
        """Whether the line ends amid the keys of earlier ones: its last number may lack digits.

        The keys keep their order from step to step, so a line that ends at a key that has been
        there, but never at the end, was cut by a full disk, a kill or a terminal's width.
        """
        cut = last in self._keys and last not in self._last_keys
        if not cut:
            self._last_keys.add(last)
        self._keys |= values.keys()
        return cut

    def _row(self, step: int, values: dict[str, float]) -> list[Row]:
        again = step == self._step
        self._step = step
        notes = {RESTART: f"step {step} was logged again"} if again else {}
        return [Row(step, values, notes=notes)] if values else []


class VerlFile:
    """`{"step":N,"data":{key: number or null}}`, one object a line."""

    name: ClassVar[str] = "verl-file"
    framework: ClassVar[str | None] = "verl"
    merges: ClassVar[bool] = False

    def __init__(self) -> None:
        self._texts: set[str] = set()

    @classmethod
    def claims(cls, head: list[str]) -> float:
        form = cls()
        return SURE if any(form.feed(line) for line in head) else 0.0

    def feed(self, line: str) -> list[Row]:
        if '"data"' not in line or (fields := _parse(line)) is None:
            return []
        step, data = fields
        values: dict[str, float] = {}
        notes: dict[str, str] = {}
        for key, raw in data.items():
            if (value := to_number(raw)) is not None:
                values[key] = value
            elif raw is None and key not in self._texts:
                values[key], notes[key] = math.nan, NULL
            else:
                self._texts.add(key)
        return [Row(step, values, notes=notes)] if values else []

    def close(self) -> list[Row]:
        return []


def _parse(line: str) -> tuple[int, dict[str, Any]] | None:
    """Step and data of a line of the `file` backend, else None."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    fields = cast(dict[str, Any], document)
    if fields.keys() != {"step", "data"}:
        return None
    step, data = fields["step"], fields["data"]
    if isinstance(step, bool) or not isinstance(step, int) or not isinstance(data, dict):
        return None
    return step, cast(dict[str, Any], data)
