"""Steps for logs that do not state them, from the progress bars (tqdm) around them.

A log that goes through `tqdm.write` wipes the bar, prints and draws the bar again, so the bar
behind a wipe is the step of one log. Unbuffered, the log stands between the two. Buffered (a
program whose output is a file or a pipe), logs come in bursts, after many bars: the bars behind
wipes then wait here for their logs.
"""

from __future__ import annotations

import math
import re
from collections import deque
from dataclasses import dataclass, field

_MARK = re.compile(r"(\r +(?=\r|$))|(?:[\r\n]|^) *\d+%\|[^|\r]{0,300}\| (\d+)/(\d+) \[")
_BARS = 8
"""Bars kept apart, by their totals: a program has a few."""


@dataclass
class _Bar:
    """One progress bar: where it is, and the steps whose logs have yet to come."""

    at: int = 0
    is_new: bool = False
    waiting: deque[int] = field(default_factory=deque[int])
    wiped_at: int = -1


class Steps:
    """The step of each log of a program; `see` what stands between the logs, in order.

    Bars are drawn ten times a second at most, so the bar before a log may be late: a step is at
    least the usual stride after the one before, and the bar behind the log puts `last` right.
    Without bars the logs are counted.
    """

    def __init__(self) -> None:
        self._latest: deque[int] = deque([0], maxlen=3)
        self._epoch = -math.inf
        self._bars: dict[int, _Bar] = {}
        self._total: int | None = None
        self._is_wiped = False
        self._owed: deque[bool] = deque()
        """Logs whose bar has yet to be drawn behind them; True for a training log."""

    @property
    def last(self) -> int:
        """Step of the last training log, as far as the bars seen by now tell it."""
        return self._latest[-1]

    @property
    def is_steady(self) -> bool:
        """Whether the last two strides were equal, so that the next step can be foretold."""
        first, *between, last = self._latest
        return bool(between) and last - between[0] == between[0] - first

    def see(self, text: str) -> None:
        """Notes the bars in a piece of the log."""
        if "%|" not in text and "\r" not in text:
            return
        for wipe, at, total in _MARK.findall(text):
            if wipe:
                self._is_wiped = True
            else:
                self._draw(int(at), int(total))

    def next(self, epoch: float = math.nan, stated: int | None = None) -> int:
        """Step of the training log that comes now, which may state its step or its epoch."""
        if epoch < self._epoch:  # the process began anew
            self._latest = deque([0], maxlen=3)
            self._total = None
        self._epoch = epoch
        bar = self._choose()
        waiting = self._take(bar, is_training=True)
        step = waiting if stated is None else stated
        if step is None:
            drawn = bar.at if bar and bar.is_new else 0
            step = max(drawn, self.last + max(self._stride(drawn), 1))
        for other in self._bars.values():
            other.is_new = False
        self._latest.append(step)
        return step

    def of_eval(self, epoch: float = math.nan) -> int:
        """Step of an evaluation: that of the last training log unless its epoch is another."""
        if epoch == self._epoch:
            return self.last
        bar = self._choose()
        waiting = self._take(bar, is_training=False)
        return max(self.last, bar.at if bar else 0) if waiting is None else waiting

    def _stride(self, drawn: int) -> int:
        """Steps from one log to the next; the first log tells it where the bar says no more."""
        if len(self._latest) == 3:
            return self._latest[-1] - self._latest[-2]
        return self.last if drawn <= self.last else 0

    def _draw(self, at: int, total: int) -> None:
        bar = self._bars.pop(total, None)
        if bar is None or (at == 0 and bar.at > 0):
            bar = _Bar()
        self._bars[total] = bar  # the last one drawn comes last
        if len(self._bars) > _BARS:
            del self._bars[next(iter(self._bars))]
        bar.at, bar.is_new = at, True
        if self._is_wiped and at != bar.wiped_at:
            bar.wiped_at = at
            if not self._owed:
                bar.waiting.append(at)
            elif total == self._total and self._owed.popleft():
                self._latest[-1] = at
        self._is_wiped = False

    def _choose(self) -> _Bar | None:
        """The training bar: the one of before while it moves, else the last one that moved."""
        bar = self._bars.get(self._total) if self._total else None
        if bar and (bar.waiting or bar.is_new):
            return bar
        moving = [total for total, bar in self._bars.items() if bar.waiting or bar.is_new]
        if not moving:
            return bar
        self._total = moving[-1]
        return self._bars[self._total]

    def _take(self, bar: _Bar | None, is_training: bool) -> int | None:
        """The step that waits for this log; None, and one owed, when the bar is yet to come."""
        if bar is None:
            return None
        if bar.waiting:
            return bar.waiting.popleft()
        self._owed.append(is_training)
        return None
