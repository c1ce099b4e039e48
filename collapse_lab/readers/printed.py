"""A configuration that a program prints when it starts, as Python's `pprint` lays it out.

    {'actor_rollout_ref': {'actor': {'clip_ratio': 0.2,
                                     'ppo_epochs': 1},

A process behind Ray has the same prefix before each of its lines; lines of others come between.
"""

from __future__ import annotations

import ast
from typing import Any, cast

from collapse_lab.readers.base import clean

MOST_LINES = 5000


class PrintedDict:
    """Reads the lines of one dict, from the one that states its `first` key on; `found` is {} until
    its last line has come, and when what was printed is no plain data."""

    def __init__(self, first: str) -> None:
        self.found: dict[str, Any] = {}
        self._begins = f"{{'{first}': "
        self._prefix = ""
        self._lines: list[str] = []

    @property
    def begun(self) -> bool:
        """Whether a first line has come."""
        return bool(self._lines or self.found)

    def feed(self, line: str) -> None:
        """One line of the log, whatever it is."""
        if (at := line.find(self._begins)) >= 0:
            self._prefix, self._lines = line[:at], []
        elif not self._lines or not line.startswith(self._prefix):
            return
        text = clean(line[len(self._prefix) :])
        self._lines.append(text)
        if text.endswith("}") or len(self._lines) > MOST_LINES:  # inner ones end with a comma
            self._end()

    def _end(self) -> None:
        text, self._lines = "\n".join(self._lines), []
        try:
            found = ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            return
        if isinstance(found, dict):
            self.found = cast(dict[str, Any], found)
