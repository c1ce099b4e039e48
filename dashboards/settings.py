"""The workbench's settings as the address holds them, and what changes when they do. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from collapse_lab.calibration.saved import Calibration
from collapse_lab.dashboards.view import View, number
from collapse_lab.detectors.cusum import CusumWatch
from collapse_lab.detectors.edetector import ALPHA, EDetector
from collapse_lab.detectors.reward_drop import RewardDrop
from collapse_lab.records import Alarm
from collapse_lab.signals import SIGNALS

FACTORS = {
    "reward-limit": (RewardDrop.name, RewardDrop.highest),
    "watch-limit": (CusumWatch.name, math.inf),
}
"""Controls that hold a detector's limit, in units of its score, with what no score reaches."""
CONTROLS = ("alpha", *FACTORS, "mute", "expect")
"""All controls of a view that set something."""
MOST_EXPECTED = 50
_STRETCH = re.compile(r"\s*(\d{1,12})\s*(?:(?:-|\u2013|to)\s*(\d{1,12}))?\s*")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a person has set; the shipped ones by default. `factors` are limits in units of the
    shipped ones by detector, `expected` stretches of steps, both ends included."""

    alpha: float = ALPHA
    factors: tuple[tuple[str, float], ...] = ()
    muted: tuple[str, ...] = ()
    expected: tuple[tuple[int, int], ...] = ()

    def calibration(self) -> Calibration:
        """What `watch --calibration` reads, and what the workbench itself replays with."""
        limits = dict(self.factors)
        if self.alpha != ALPHA:
            limits[EDetector.name] = math.log(self.alpha) / math.log(ALPHA)
        return Calibration.by_hand(self.alpha, limits, self.muted, self.expected)


SHIPPED = Settings()


def settings_of(view: View) -> Settings:
    """The settings of a query string; what cannot be read counts as shipped."""
    alpha = number(view, "alpha", ALPHA)
    factors = (
        (name, number(view, control, 1.0), highest) for control, (name, highest) in FACTORS.items()
    )
    muted = (name for name in view.get("mute", "").split(",") if name in SIGNALS)
    return Settings(
        alpha if 0 < alpha < 1 else ALPHA,
        tuple((name, x) for name, x, highest in factors if 0 < x < highest and x != 1.0),
        tuple(sorted(set(muted))),
        stretches(view.get("expect", ""))[0],
    )


def stretches(text: str) -> tuple[tuple[tuple[int, int], ...], list[str]]:
    """Stretches of steps, and what of the text is none.

    >>> stretches("100-150, 300, soon")
    (((100, 150), (300, 300)), ['soon'])
    """
    found: list[tuple[int, int]] = []
    wrong: list[str] = []
    for part in text.split(",")[:MOST_EXPECTED]:
        match = _STRETCH.fullmatch(part)
        if match:
            first, last = int(match[1]), int(match[2] or match[1])
            found.append((min(first, last), max(first, last)))
        elif part.strip():
            wrong.append(part.strip())
    return tuple(found), wrong


@dataclass(frozen=True, slots=True)
class Change:
    """One alarm with the shipped settings and with a person's; None where it is not raised."""

    before: Alarm | None
    after: Alarm | None

    @property
    def kind(self) -> str:
        """ "same", "gone", "new", "moved" to another step, or "tier" when the severity changed."""
        if self.before is None or self.after is None:
            return "gone" if self.before else "new"
        if self.before.severity != self.after.severity:
            return "tier"
        return "same" if self.before.step == self.after.step else "moved"

    @property
    def step(self) -> int:
        return min(one.step for one in (self.before, self.after) if one is not None)


def changes(before: Sequence[Alarm], after: Sequence[Alarm]) -> list[Change]:
    """Alarms of one detector about one change stand in one row: what it dates overlaps."""
    left = list(after)
    rows: list[Change] = []
    for old in before:
        twin = next((new for new in left if _about_the_same(old, new)), None)
        if twin is not None:
            left.remove(twin)
        rows.append(Change(old, twin))
    rows += [Change(None, new) for new in left]
    return sorted(rows, key=lambda row: row.step)


def _about_the_same(one: Alarm, other: Alarm) -> bool:
    return one.detector == other.detector and (
        one.since_interval[0] <= other.step and other.since_interval[0] <= one.step
    )
