"""From what moved, in which order and from which level: the mechanisms that an alarm points at.

One rule a mechanism. Each looks for what the mechanism means (docs/mechanisms.md) and says how
strongly it speaks for it:

    4  what is seen is the mechanism itself: a loss that is not a number
    3  its own signals stand where they cannot be healthy, or were the first to move
    2  its own signals moved
    1  a circumstance that it needs is there

The strongest come first, of equally strong ones the one whose signals moved first. Where no rule
speaks nothing is named: unclear is an answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from collapse_lab.detectors.history import History, Levels
from collapse_lab.records import Evidence, Suspicion

MOST = 3
"""Mechanisms named at most."""
LEAST_SCORE = 3.0
"""Evidence with a smaller CUSUM is no move."""
AT_ONCE = 2
"""Steps within which moves count as simultaneous: an onset is not known better."""


@dataclass(frozen=True, slots=True)
class Clue:
    """How strongly a rule speaks, since when what it saw has moved, and what that is."""

    strength: int
    since: int
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """A signal that left its course `since` a step."""

    signal: str
    since: int
    direction: str

    def __str__(self) -> str:
        return f"{self.signal} {self.direction} since {self.since}"


@dataclass(frozen=True, slots=True)
class Scene:
    """What the rules look at: evidence by signal, and levels before and after step `since`."""

    evidence: Mapping[str, Evidence]
    history: History
    since: int

    def levels(self, name: str) -> Levels:
        return self.history.levels(name, self.since)

    def move(self, direction: str, *names: str) -> Move | None:
        """The first of these signals to go that way: by its excursion, else by its level."""
        moves = [
            Move(part.signal, part.since, direction)
            for part in map(self.evidence.get, names)
            if part and part.direction == direction and part.score >= LEAST_SCORE
            if self.levels(part.signal).moved in (direction, "")
        ]
        moves = moves or [
            Move(name, self.since, direction)
            for name in names
            if self.levels(name).moved == direction
        ]
        return min(moves, key=lambda move: move.since, default=None)

    def is_first(self, move: Move) -> bool:
        """Whether nothing but the reward has moved clearly before."""
        others = [
            part.since
            for part in self.evidence.values()
            if part.family != "reward" and part.score >= LEAST_SCORE
        ]
        return move.since <= min(others, default=move.since) + AT_ONCE


def _numerical(scene: Scene) -> Clue | None:
    broken = [part for part in scene.evidence.values() if not math.isfinite(part.observed)]
    if not broken:
        return None
    since = min(part.since for part in broken)
    return Clue(4, since, tuple(f"{part.signal} is {part.observed}" for part in broken))


PAID = ("reward/mean", "reward/penalised_mean")
SOLVED = ("reward/success_rate", "eval/success_rate", "eval/score")
LOST, KEPT = 0.6, 0.8
"""Of their levels before: what is solved has fallen below the one, what is paid is above the
other."""


def _reward_hacking(scene: Scene) -> Clue | None:
    for paid in map(scene.levels, PAID):
        for name in SOLVED:
            solved = scene.levels(name)
            if solved.now <= LOST * solved.before and paid.now >= KEPT * paid.before > 0:
                told = (
                    f"{name} fell from {solved.before:.3g} to {solved.now:.3g} while the reward "
                    f"went from {paid.before:.3g} to {paid.now:.3g}"
                )
                return Clue(4, scene.since, (told,))
    return None


DISAGREEMENT = {"mismatch/k3_kl": 0.015, "mismatch/rev_k3_kl": 0.015, "mismatch/absdiff_mean": 0.05}
"""Levels that no healthy pair of engines has: the k3 by prime-rl's rule."""
ALIKE = 1e-3
"""Of the level now: what trainer and sampler differed by in the first record if their only
difference is the weights' age."""


def _disagreement(scene: Scene) -> tuple[Clue, bool] | None:
    """That trainer and sampler differ, and whether they did so from the first record on."""
    clue, began_alike = None, False
    for name, limit in DISAGREEMENT.items():
        levels = scene.levels(name)
        move = scene.move("up", name)
        if not (levels.now >= limit or move):
            continue
        began_alike = levels.first <= ALIKE * levels.now
        since = move.since if move else scene.since
        strength = 3 if levels.now >= limit else 2
        told = f"{name} is {levels.now:.2g}, {levels.first:.2g} in the first record"
        clue = Clue(strength, since, (told,))
        break
    return None if clue is None else (clue, began_alike)


def _staleness(scene: Scene) -> Clue | None:
    lag = scene.levels("async/staleness")
    found = _disagreement(scene)
    if found and found[1]:
        return found[0]
    if found and lag.now >= 1:
        return Clue(
            3, found[0].since, (f"samples are {lag.now:.2g} updates old", *found[0].because)
        )
    return None


def _mismatch(scene: Scene) -> Clue | None:
    found = _disagreement(scene)
    return found[0] if found and not found[1] else None


OUTSIDE, SHUT = 0.002, 0.25
"""Share of tokens beyond the band, and the share of those that a tolerant clip shuts at most."""


def _tolerant_clip(scene: Scene) -> Clue | None:
    low, high = scene.levels("ratio/out_low_frac"), scene.levels("ratio/out_high_frac")
    shut = scene.levels("ratio/clip_frac").now
    outside = low.now + high.now
    if not (outside >= OUTSIDE and shut <= SHUT * outside):
        return None
    told = f"{outside:.2%} of the tokens are beyond the band and {shut:.2%} are clipped"
    move = scene.move("up", "ratio/out_low_frac", "ratio/m2", "kl/old")
    return Clue(3, move.since if move else scene.since, (told,))


def _entropy_explosion(scene: Scene) -> Clue | None:
    levels, move = scene.levels("policy/entropy"), scene.move("up", "policy/entropy")
    above = levels.drifted == "up"
    if not (move or above):
        return None
    told = [str(move)] if move else []
    told += [f"policy/entropy is {levels.now:.3g}, {levels.early:.3g} at the start"] * above
    since = move.since if move else scene.since
    return Clue(3 if above or (move and scene.is_first(move)) else 2, since, tuple(told))


NEARLY_SURE = 0.3
"""Of the early entropy."""


def _entropy_collapse(scene: Scene) -> Clue | None:
    levels, move = scene.levels("policy/entropy"), scene.move("down", "policy/entropy")
    sure = levels.now <= NEARLY_SURE * levels.early
    if not (move or sure):
        return None
    told = f"policy/entropy is {levels.now:.3g}, {levels.early:.3g} at the start"
    since = move.since if move else scene.since
    return Clue(3 if sure else 2, since, (told,))


def _format(scene: Scene) -> Clue | None:
    move = scene.move("down", "policy/valid_frac") or scene.move("up", "policy/format_invalid_frac")
    if not move:
        return None
    levels = scene.levels(move.signal)
    told = f"{move}: {levels.before:.2f} to {levels.now:.2f}"
    return Clue(3 if scene.is_first(move) else 2, move.since, (told,))


def _length(scene: Scene) -> Clue | None:
    move = (
        scene.move("up", "length/trunc_frac", "length/mean")
        or scene.move("down", "length/mean")
    )  # fmt: skip
    if not move:
        return None
    levels = scene.levels(move.signal)
    told = f"{move}: {levels.before:.3g} to {levels.now:.3g}"
    return Clue(3 if scene.is_first(move) else 2, move.since, (told,))


STARVED = 0.9


def _starvation(scene: Scene) -> Clue | None:
    levels = scene.levels("reward/zero_std_frac")
    if levels.before >= STARVED and levels.now >= STARVED:
        told = f"{levels.now:.0%} of the groups had no spread of reward, before the change too"
        return Clue(3, scene.since, (told,))
    return None


RISING = 1.02
UPDATE_SIGNALS = ("kl/old", "ratio/m2", "ratio/clip_frac", "kl/ref", "optim/grad_norm")


def _learning_rate(scene: Scene) -> Clue | None:
    rate = scene.levels("optim/lr")
    move = scene.move("up", *UPDATE_SIGNALS)
    rising = rate.now > RISING * rate.before
    if not (rising or move):
        return None
    told = [f"the learning rate was rising, {rate.before:.2g} to {rate.now:.2g}"] * rising
    told += [str(move)] if move else []
    since = move.since if move else scene.since
    return Clue(2 if rising else 1, since, tuple(told))


RULES: dict[str, Callable[[Scene], Clue | None]] = {
    "numerical": _numerical,
    "reward_hacking": _reward_hacking,
    "staleness": _staleness,
    "mismatch": _mismatch,
    "tolerant_clip": _tolerant_clip,
    "entropy_explosion": _entropy_explosion,
    "entropy_collapse": _entropy_collapse,
    "format": _format,
    "length": _length,
    "starvation": _starvation,
    "learning_rate": _learning_rate,
}
"""By the keys of `mechanisms.MECHANISMS`; equally strong and simultaneous ones in this order."""

ASKED = (
    *PAID,
    *SOLVED,
    *DISAGREEMENT,
    *UPDATE_SIGNALS,
    "async/staleness",
    "ratio/out_low_frac",
    "ratio/out_high_frac",
    "policy/entropy",
    "policy/valid_frac",
    "policy/format_invalid_frac",
    "length/mean",
    "length/trunc_frac",
    "reward/zero_std_frac",
    "optim/lr",
)
"""Signals whose levels a rule asks for."""


def likely(evidence: Iterable[Evidence], history: History, since: int) -> tuple[Suspicion, ...]:
    """The mechanisms that this evidence points at, the likeliest first.

    `history` holds the levels of `ASKED` up to now, and `since` is the step at which the change
    may have begun at the earliest. Of two pieces of evidence on one signal the stronger counts.
    """
    strongest = {part.signal: part for part in sorted(evidence, key=lambda part: part.score)}
    scene = Scene(strongest, history, since)
    clues = {key: clue for key, rule in RULES.items() if (clue := rule(scene))}
    ranked = sorted(clues.items(), key=lambda item: (-item[1].strength, item[1].since))
    return tuple(Suspicion(key, clue.because) for key, clue in ranked[:MOST])
