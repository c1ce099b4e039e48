"""Late detector: the reward has fallen for good. It leads nothing; it lets nothing pass unnoticed.

The mean of the last v records, v in a ladder of windows, is held against the best mean that any
earlier window has seen. It must have lost half of what had been gained (the definition of a
collapse that `labels.py` uses), or a quarter for 21 records or more, and be further away than noise
explains: eight and a half standard errors on its own, one and a half less for each family of
signals that is off its course too, of which three count, and ten where rewards may be negative and
so nobody knows what a policy earns that has learned nothing. Step noise is taken from successive
differences, and never as less than an eighth of the gain: a single bad batch of few rollouts is not
a collapse. A lone freak is taken only as far as it can be believed (`plausible.py`), or it would be
the best or the worst of the run for good.

What is paid for right answers alone and for well-formed ones, where a run logs it, is followed
likewise: a reward that is hacked never falls, and one that pays for several things falls later.

Where a calibration asks for a limit above the shipped one, it asks how much is surely lost and not
how sure the loss is: a short dip of a steady reward is as sure as any collapse, but seldom as deep.

The fall is dated by the reward alone: by the knee of the best broken stick from the best window
that is still remembered to now, as `labels.py` dates it in hindsight. Other signals may have been
off their course for long and for no harm, so they are evidence and date nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from typing import ClassVar

from collapse_lab.detectors.base import Finding, Step
from collapse_lab.detectors.ladder import Drop, Ladder
from collapse_lab.detectors.reward import PARTS
from collapse_lab.records import Evidence

ITSELF = "a drop of the reward is the collapse itself, not its forerunner"
ALONE = "the reward as a whole has not been lost: it pays for something else, too"
PAID_FOR = {"reward/accuracy": "right answers", "reward/format": "well-formed answers"}


@dataclass(slots=True)
class RewardDrop:
    """Raises `alarm` on a sustained loss of reward, once until it has come back; and on one of what
    right or well-formed answers are paid, while nothing else is told to be lost.

    `score` is how sure the surest loss is, in units of the shipped limit, while that is below 1,
    and from there on 1 plus the share of the gain that is lost as surely as that limit asks.
    """

    name: ClassVar[str] = "reward-drop"
    highest: ClassVar[float] = 2.0
    limit: float | None = None
    score: float = 0.0
    _whole: Ladder = field(default_factory=Ladder)
    _parts: tuple[Ladder, ...] = field(default_factory=lambda: tuple(Ladder() for _ in PARTS))

    def update(self, step: Step) -> Finding | None:
        least = 1.0 if self.limit is None else self.limit
        known = any(ladder.fallen for ladder in (self._whole, *self._parts))
        others = cache(step.excursions.evidence)
        at, found = step.record.step, None
        if whole := self._whole.update(step.reward, at, others, least):
            found = _found(self._whole, whole, "the reward", (ITSELF,), others())
        for ladder, reward in zip(self._parts, step.parts, strict=True):
            if part := ladder.update(reward, at, others, math.inf if known or found else least):
                what = f"the reward for {PAID_FOR[reward.signal]}"
                found = _found(ladder, part, what, (ALONE,), others())
        self.score = max(ladder.score for ladder in (self._whole, *self._parts))
        return found


def _found(
    ladder: Ladder, drop: Drop, what: str, notes: tuple[str, ...], others: tuple[Evidence, ...]
) -> Finding:
    part, interval = ladder.evidence(drop)
    return Finding(
        "alarm",
        f"{what} has lost {drop.lost:.0%} of what it had gained ({drop.now:.3g} over the "
        f"last {drop.window} records, {drop.best:.3g} at its best)",
        part.since,
        interval,
        (part, *others),
        notes,
    )
