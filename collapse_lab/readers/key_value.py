"""Console lines of `key: value` or `key=value` pairs, the last resort for home-grown loops.

`Epoch:[1/1](2/500), Reward: 0.38, KL_ref: 0.01` (minimind), `global_step=123,
episodic_return=9.0` (CleanRL), `Step 12: loss=0.1 reward=0.3`, `Step 12 | Loss 0.01 | 34.5s`.
A number with a unit or in a list is left out rather than guessed at.
"""

from __future__ import annotations

import re
from typing import ClassVar

from collapse_lab.readers.base import Row, clean
from collapse_lab.readers.epochs import EpochSteps

LONGEST_LINE = 20_000
PREFIX = 80
"""Characters within which a logger states its level."""
REPEATS = {True: 3, False: 5}
"""Lines with the same keys that make a log, with and without a step: programs print many things."""

MOST_HELD = 100
"""Lines kept until they prove to be measurements: a program may print others for ever."""

_NUMBER = r"[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|\.\d+(?:e[-+]?\d+)?|nan|inf(?:inity)?)"
_KEY = r"[a-z][\w./@()-]*(?: [a-z(][\w./@()-]*){0,3}?"
_PAIR = re.compile(
    rf"(?<![\w./@\"'-])({_KEY})\s?[:=]\s*({_NUMBER})(?=$|[\s;|)\]}}]|,(?!\d))", re.IGNORECASE
)
_CELL = re.compile(rf"\s*({_KEY}\.?)\s+({_NUMBER})\s*", re.IGNORECASE)
_LEVEL = re.compile(r"\b(?:DEBUG|INFO|WARN|WARNING|ERROR|SUCCESS)\b")
_COUNTER = re.compile(
    r"(?<![\w./-])(global[ _]step|step|iteration|iter|update|batch|episode|epoch)\s?[:=#]?\s?"
    r"\[?(\d{1,18})(?:\s?/\s?(\d{1,18}))?\]?(?:\s?\((\d{1,18})/(\d{1,18})\))?(?![\w.])",
    re.IGNORECASE,
)
_COUNTERS = ("global_step", "step", "iteration", "iter", "update", "batch", "episode", "epoch")


class KeyValueLines:
    """Rows once enough lines with the same keys have come; with a step, if any line has one."""

    name: ClassVar[str] = "key-value"
    framework: ClassVar[str | None] = None
    merges: ClassVar[bool] = True

    def __init__(self) -> None:
        self._held: list[Row] = []
        self._shape: frozenset[str] | None = None
        self._stepped = False
        self._first_epoch: int | None = None
        self._epochs = EpochSteps()

    @classmethod
    def claims(cls, head: list[str]) -> float:
        if len(head) < min(REPEATS.values()):
            return 0.0
        form = cls()
        rows = [row for line in head for row in form.feed(line)]
        if not rows:
            return 0.0
        return 0.2 if form._stepped else 0.1

    def feed(self, line: str) -> list[Row]:
        row = self._parse(line)
        if row is None or (row.step is None and self._stepped):
            return []
        stepped, shape = row.step is not None, frozenset(row.values)
        if self._shape is not None and stepped == self._stepped:
            return [row] if stepped or shape == self._shape else []
        self._held.append(row)
        del self._held[:-MOST_HELD]
        alike = [held for held in self._held if (held.step is not None) == stepped]
        same = [held for held in alike if shape == frozenset(held.values)]
        if len(same) < REPEATS[stepped]:
            return []
        self._held.clear()
        self._stepped, self._shape = stepped, shape
        return alike if stepped else same

    def close(self) -> list[Row]:
        return []

    def _parse(self, line: str) -> Row | None:
        """Numbers and step of a line; None when it is not a line of measurements."""
        text = clean(line).rpartition("\r")[2]
        if len(text) > LONGEST_LINE or text.startswith("{"):
            return None
        text = _LEVEL.sub(",", text[:PREFIX]) + text[PREFIX:]
        counters: dict[str, re.Match[str]] = {}
        rest: list[str] = []
        end = 0
        for found in _COUNTER.finditer(text):
            counters[found[1].lower().replace(" ", "_")] = found
            rest.append(text[end : found.start()])
            end = found.end()
        text = ", ".join([*rest, text[end:]])
        pairs = _PAIR.findall(text)
        if not pairs and "|" in text:
            cells = [_CELL.fullmatch(cell) for cell in text.split("|")]
            pairs = [(cell[1], cell[2]) for cell in cells if cell]
        step = self._step(counters)
        if len(pairs) < (2 if step is None else 1):
            return None
        return Row(step, {key: float(value) for key, value in pairs})

    def _step(self, counters: dict[str, re.Match[str]]) -> int | None:
        """The step of the whole run: one counted within an epoch goes on where the last ended."""
        name = next((name for name in _COUNTERS if name in counters), None)
        if name is None:
            return None
        count, total = counters[name][2], counters[name][3]
        if name == "epoch" and counters[name][4]:
            count, total = counters[name][4], counters[name][5]
        if "epoch" not in counters or (name == "epoch" and not counters[name][4]):
            return int(count)
        epoch = int(counters["epoch"][2])
        if not total or name not in ("step", "iter", "batch", "epoch"):
            return self._epochs.place(epoch, int(count))
        if self._first_epoch is None:
            self._first_epoch = epoch
        return int(count) + (epoch - self._first_epoch) * int(total)
