"""Tier 0: rules that need no statistics and speak from the first step.

Hard failures are `critical`: a loss or gradient that is not a number, a gradient or divergence
that explodes and stays, a policy that has stopped earning and varying. What makes other numbers
untrustworthy is `watch`: importance weights without an effective sample, groups without spread,
a metric that has stopped moving. Structural zeros (no gradient because no group had spread) are
counted here and never reach a logarithm.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from statistics import median
from typing import ClassVar

import numpy as np

from collapse_lab.detectors.base import Finding, Step
from collapse_lab.detectors.scale import JUDGED
from collapse_lab.knee import fall
from collapse_lab.records import Evidence, Severity
from collapse_lab.signals import SIGNALS

FATAL = ("optim/grad_norm", "loss/total", "loss/pg", "optim/critic_grad_norm")
"""One non-finite value of these is a hard failure."""
SERIOUS_AFTER, SERIOUS_FOR = 5, 2
"""Other judged signals: after so many finite values, for so many records on end."""


def _finding(severity: Severity, reason: str, since: int, *parts: Evidence) -> Finding:
    return Finding(severity, reason, since, (since, since), parts)


def _evidence(
    name: str, since: int, observed: float, expected: float, bound: float, records: int
) -> Evidence:
    up = not observed < bound
    return Evidence(
        signal=name,
        family=SIGNALS[name].family,
        since=since,
        observed=observed,
        expected=expected,
        low=-math.inf if up else bound,
        high=bound if up else math.inf,
        direction="up" if up else "down",
        score=float(records),
        bad_steps=records,
        steps=records,
    )


@dataclass(slots=True)
class NonFinite:
    """A loss or gradient norm that is NaN or infinite; other signals when it lasts."""

    name: ClassVar[str] = "non-finite"
    _finite: dict[str, int] = field(default_factory=dict[str, int])
    _since: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    _told: set[str] = field(default_factory=set[str])

    def update(self, step: Step) -> Finding | None:
        broken: list[Evidence] = []
        for name, value in step.record.values.items():
            if name not in FATAL and name not in JUDGED:
                continue
            if math.isfinite(value):
                self._finite[name] = self._finite.get(name, 0) + 1
                self._since.pop(name, None)
                self._told.discard(name)
                continue
            since, records = self._since.get(name, (step.record.step, 0))
            self._since[name] = since, records + 1
            lasting = self._finite.get(name, 0) >= SERIOUS_AFTER and records + 1 >= SERIOUS_FOR
            if name not in self._told and (name in FATAL or lasting):
                self._told.add(name)
                broken.append(_evidence(name, since, value, math.nan, math.inf, records + 1))
        if not broken:
            return None
        since = min(part.since for part in broken)
        names = ", ".join(f"{part.signal} is {part.observed}" for part in broken)
        return _finding("critical", f"not a number since step {since}: {names}", since, *broken)


EXPLODING = ("optim/grad_norm", "kl/ref", "kl/old")
EXPLOSION, BEYOND_LARGEST = 20.0, 3.0
EXPLOSION_FOR, EXPLOSION_MEMORY, EXPLOSION_AFTER = 3, 64, 12


@dataclass(slots=True)
class Explosion:
    """Gradient norm or KL for three records on end beyond twenty times its running median and
    three times its largest recent value: runs that spike now and then have a large one.

    Zeros, values under suspicion and those that are no numbers stay out of both.
    """

    name: ClassVar[str] = "explosion"
    _past: dict[str, deque[float]] = field(default_factory=dict[str, deque[float]])
    _since: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])

    def update(self, step: Step) -> Finding | None:
        if step.excused:
            return None
        for name in EXPLODING:
            value = step.record.values.get(name, math.nan)
            if not 0 < value < math.inf:
                continue
            past = self._past.setdefault(name, deque(maxlen=EXPLOSION_MEMORY))
            usual = median(past) if len(past) >= EXPLOSION_AFTER else math.inf
            bound = max(EXPLOSION * usual, BEYOND_LARGEST * max(past, default=0.0))
            if value <= bound:
                past.append(value)
                self._since.pop(name, None)
                continue
            since, records = self._since.get(name, (step.record.step, 0))
            self._since[name] = since, records + 1
            if records + 1 == EXPLOSION_FOR:
                part = _evidence(name, since, value, usual, bound, EXPLOSION_FOR)
                reason = f"{name} has exploded to {value / usual:.0f} times its usual {usual:.3g}"
                return _finding("critical", reason, since, part)
        return None


DEAD_FOR = 10
SPREADS = ("reward/group_std", "reward/std")
FALL_MEMORY, FALL_REFERENCE = 432, 10
"""Records in which the fall is looked for, and of the best mean that it fell from."""


@dataclass(slots=True)
class DeadPolicy:
    """The reward sits at its lowest without any spread, after it had been clearly above.

    All groups are then zero-variance, the gradient is exactly zero and every other signal looks
    calm: the silent death of detection.md and of many a real log. It began where the reward began
    to fall, often long before.
    """

    name: ClassVar[str] = "dead-policy"
    _best: float = -math.inf
    _lowest: float = math.inf
    _since: int = 0
    _records: int = 0
    _past: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=FALL_MEMORY))

    def update(self, step: Step) -> Finding | None:
        values = step.record.values
        reward = values.get("reward/mean", math.nan)
        spread = next((values[name] for name in SPREADS if name in values), math.nan)
        starved = values.get("reward/zero_std_frac", math.nan) == 1.0 or spread == 0
        if not math.isfinite(reward):
            return None
        self._past.append((step.record.step, reward))
        self._lowest = min(self._lowest, reward)
        self._best = max(self._best, reward)
        if not starved or reward > self._lowest or reward >= self._best:
            self._records = 0
            return None
        self._since = self._since if self._records else step.record.step
        self._records += 1
        if self._records != DEAD_FOR:
            return None
        part = _evidence("reward/mean", self._since, reward, self._best, self._best, DEAD_FOR)
        reason = (
            f"the policy is dead: reward {reward:.3g} without any spread for {DEAD_FOR} records"
        )
        alive = np.array(self._past)[: 1 - DEAD_FOR]
        began = fall(alive[:, 1], window=1, reference=min(FALL_REFERENCE, len(alive) - 1))
        since, low, high = (self._past[i][0] for i in (began.at, began.low, began.high))
        return Finding("critical", reason, since, (low, high), (part,))


KHAT, ESS, ESS_WITH_KHAT = 0.7, 0.1, 0.5
UNRELIABLE_WINDOW, RELIABLE_AGAIN = 5, 20


@dataclass(slots=True)
class UnreliableWeights:
    """Importance weights that no longer estimate anything, by five-record medians: an effective
    sample below a tenth, or below a half with a Pareto shape above 0.7 (Vehtari et al. 2024).

    The shape alone says nothing here: ratios that are all close to one may have a heavy tail of
    tiny differences. Told once, and again only after twenty good records.
    """

    name: ClassVar[str] = "unreliable-weights"
    _past: dict[str, deque[float]] = field(default_factory=dict[str, deque[float]])
    _good: int = RELIABLE_AGAIN

    def update(self, step: Step) -> Finding | None:
        usual = {name: self._median(name, step) for name in ("ratio/ess_frac", "mismatch/ess")}
        heavy = self._median("ratio/khat", step) > KHAT
        bounds = {"ratio/ess_frac": ESS_WITH_KHAT if heavy else ESS, "mismatch/ess": ESS}
        bad = [name for name, ess in usual.items() if ess < bounds[name]]
        told, self._good = self._good < RELIABLE_AGAIN, 0 if bad else self._good + 1
        if told or not bad:
            return None
        name, since = bad[0], step.record.step
        part = _evidence(name, since, usual[name], bounds[name], bounds[name], UNRELIABLE_WINDOW)
        reason = f"importance weights are unreliable: {name} has a median of {usual[name]:.2g}"
        return _finding("watch", reason, since, part)

    def _median(self, name: str, step: Step) -> float:
        """Of the last records, NaN while there are too few or the signal is absent."""
        value = step.record.values.get(name, math.nan)
        past = self._past.setdefault(name, deque(maxlen=UNRELIABLE_WINDOW))
        if math.isfinite(value):
            past.append(value)
        return median(past) if len(past) == UNRELIABLE_WINDOW else math.nan


STARVED_SHARE, STARVED_FOR = 0.9, 10


@dataclass(slots=True)
class Starvation:
    """Nine tenths of the groups have no spread of reward for ten records: almost no gradient.

    Either the task is solved or nothing is; both end learning, neither is a collapse by itself.
    """

    name: ClassVar[str] = "starvation"
    _since: int = 0
    _records: int = 0

    def update(self, step: Step) -> Finding | None:
        values = step.record.values
        share = values.get("reward/zero_std_frac", math.nan)
        if not share > STARVED_SHARE:
            self._records = 0 if math.isfinite(share) else self._records
            return None
        self._since = self._since if self._records else step.record.step
        self._records += 1
        if self._records != STARVED_FOR:
            return None
        name = "reward/zero_std_frac"
        part = _evidence(name, self._since, share, math.nan, STARVED_SHARE, STARVED_FOR)
        reason = f"{share:.0%} of the groups have no spread of reward: almost no learning signal"
        return _finding("watch", reason, self._since, part)


STUCK_FOR = 20


@dataclass(slots=True)
class Stuck:
    """A signal that cannot be constant has not moved for twenty records: the metric is broken."""

    name: ClassVar[str] = "stuck"
    _same: dict[str, tuple[float, int, int]] = field(
        default_factory=dict[str, tuple[float, int, int]]
    )

    def update(self, step: Step) -> Finding | None:
        for name, value in step.record.values.items():
            if name not in JUDGED or SIGNALS[name].constant or value == 0:
                continue
            last, since, records = self._same.get(name, (math.nan, 0, 0))
            if value != last:
                self._same[name] = value, step.record.step, 1
                continue
            self._same[name] = value, since, records + 1
            if records + 1 == STUCK_FOR:
                part = _evidence(name, since, value, math.nan, value, STUCK_FOR)
                reason = f"{name} has been exactly {value:.6g} for {STUCK_FOR} records"
                return _finding("watch", f"{reason}: is it measured?", since, part)
        return None


RULES = (NonFinite, Explosion, DeadPolicy, UnreliableWeights, Starvation, Stuck)
