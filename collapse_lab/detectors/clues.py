"""One rule a mechanism: what speaks for it in a run, how strongly, and since when.

`naming.py` says what the strengths mean and which of the mechanisms are named.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from collapse_lab.detectors.scene import Clue, Scene


def _numerical(scene: Scene) -> Clue | None:
    """A value that the detectors judge, or the loss, is not a number."""
    broken = [part for part in scene.evidence.values() if not math.isfinite(part.observed)]
    if not broken:
        return None
    since = min(part.since for part in broken)
    return Clue(4, since, tuple(f"{part.signal} is {part.observed}" for part in broken))


PAID = ("reward/mean", "reward/penalised_mean")
SOLVED = ("reward/success_rate", "reward/accuracy", "eval/success_rate", "eval/score")
LOST, KEPT = 0.6, 0.95
"""Of their levels before: what is solved has fallen below the one, what is paid is above the
other."""


def _reward_hacking(scene: Scene) -> Clue | None:
    """What is solved has fallen while what is paid has not; weakly where it has not fallen far and
    a detector tells so."""
    for paid in map(scene.levels, PAID):
        for name in SOLVED:
            solved = scene.levels(name)
            far = solved.now <= LOST * solved.before
            fallen = solved.before > 0 and (far or name in scene.evidence)
            if fallen and paid.now >= KEPT * paid.before > 0:
                told = (
                    f"{name} fell from {solved.before:.3g} to {solved.now:.3g} while the reward "
                    f"went from {paid.before:.3g} to {paid.now:.3g}"
                )
                return Clue(4 if far else 2, scene.since, (told,))
    return None


FROM_THE_START = 1.5
"""Mean squared log-ratio of the last mini-batch over that of all: about 3 where the ratio begins
at one with every batch of rollouts and each update moves the policy on, 1 where it is old."""
OLD_UPDATES = 1.0
FAR_WITHIN = 0.015
"""Mean squared log-ratio at the last mini-batch beyond which one batch of rollouts is made too much
of, whether by many updates or by large ones; M2PO masks tokens from .04 on."""


def _staleness(scene: Scene) -> Clue | None:
    """The ratio to the policy that made the samples is far from one at the first mini-batch
    already, or the run itself says that its samples are old and the ratio has grown; weakly where
    it is far from one at the last mini-batch only."""
    whole, last = scene.levels("ratio/m2"), scene.levels("ratio/m2_last")
    if (
        last.early <= FROM_THE_START * whole.early
        and last.now <= FROM_THE_START * whole.now
        and whole.drifted == "up"
    ):
        told = (
            f"the squared log-ratio of the last mini-batch is {last.now / whole.now:.2g} times "
            "that of all: the samples were old at the first"
        )
        return Clue(3, scene.since, (told,))
    age = scene.levels("async/staleness").now
    move = scene.move("up", "ratio/m2", "kl/old", *DISAGREEMENT)
    if move and age >= OLD_UPDATES:
        return Clue(3, scene.since, (f"samples are {age:.2g} updates old", str(move)))
    if last.now >= FAR_WITHIN:
        told = f"the squared log-ratio is {last.now:.2g} at a batch's last update"
        return Clue(1, math.inf, (told,))
    return None


DISAGREEMENT = {"mismatch/k3_kl": 0.015, "mismatch/rev_k3_kl": 0.015, "mismatch/absdiff_mean": 0.05}
"""Levels that no healthy pair of engines has: the k3 by prime-rl's rule."""
ALIKE = 1e-3
"""Of the level now: what the two differed by in the first record when only their weights' age
differs."""


def _mismatch(scene: Scene) -> Clue | None:
    """Trainer and sampler disagree about the same tokens, and more than they did, or more than any
    healthy pair of engines does."""
    for name, limit in DISAGREEMENT.items():
        levels, move = scene.levels(name), scene.move("up", name)
        if levels.now >= limit or move:
            began = ", none in the first record" * (levels.first <= ALIKE * levels.now)
            told = (
                f"{name} is {levels.now:.2g}{began or f', {levels.first:.2g} in the first record'}"
            )
            if move and levels.now < limit:
                return Clue(2, move.since, (told,))
            return Clue(3, scene.since, (told,))
    return None


OUTSIDE, SHUT = 0.002, 0.25
"""Share of tokens beyond the band, and the share of those that a tolerant clip shuts at most."""


def _tolerant_clip(scene: Scene) -> Clue | None:
    """Tokens lie beyond the band of the ratio, and next to none of them is clipped."""
    low, high = scene.levels("ratio/out_low_frac"), scene.levels("ratio/out_high_frac")
    shut = scene.levels("ratio/clip_frac").now
    outside = low.now + high.now
    if not (outside >= OUTSIDE and shut <= SHUT * outside):
        return None
    told = f"{outside:.2%} of the tokens are beyond the band and {shut:.2%} are clipped"
    return Clue(3, scene.since, (told,))


HIGHER = 1.5


def _entropy_explosion(scene: Scene) -> Clue | None:
    """Entropy has left its course upwards and is above where it began, which learning alone takes
    it down from, or half as much again as before."""
    levels, move = scene.levels("policy/entropy"), scene.move("up", "policy/entropy")
    above = levels.now > levels.early
    higher = levels.now >= HIGHER * levels.before
    if not ((move or levels.drifted == "up") and (above or higher)):
        return None
    then = f"{levels.early:.3g} at the start" if above else f"{levels.before:.3g} before"
    told = f"policy/entropy is {levels.now:.3g}, {then}"
    return Clue(3 if above else 2, move.since if move else math.inf, (told,))


SURE, NEARLY_SURE = 0.1, 0.25
"""Of the early entropy: learning alone takes it down, in healthy runs to a fifth."""


def _entropy_collapse(scene: Scene) -> Clue | None:
    """Entropy is less than a tenth of what it was when the run began; weakly below a quarter."""
    levels, move = scene.levels("policy/entropy"), scene.move("down", "policy/entropy")
    if levels.moved == "up" or not levels.now <= NEARLY_SURE * levels.early:
        return None
    told = f"policy/entropy is {levels.now:.3g}, {levels.early:.3g} at the start"
    since = move.since if move else math.inf
    return Clue(3 if levels.now <= SURE * levels.early else 1, since, (told,))


FEWER, LOST_FORM = 0.9, 0.6
"""Of the share of valid answers before: most collapses break some answers."""


def _format(scene: Scene) -> Clue | None:
    """The share of answers in the required format fell; strongly where it was the first to move
    and few are left."""
    move = scene.move("down", "policy/valid_frac")
    if not move:
        return None
    levels = scene.levels(move.signal)
    if levels.now > FEWER * levels.before:
        return None
    told = f"{move}: {levels.before:.2f} to {levels.now:.2f}"
    lost = levels.now <= LOST_FORM * levels.before
    return Clue(1 + lost + (lost and scene.is_first(move)), move.since, (told,))


CUT, OFTEN_CUT = 0.05, 0.2
"""Shares of responses at the limit: below the one, no run is told by its limit."""
FAR = 1.25
"""Times the mean length before."""


def _length(scene: Scene) -> Clue | None:
    """Responses grew or shrank by a quarter, or hit the limit; strongly where that moved first and
    cost no reward, so that length is what is learned."""
    cut = scene.levels("length/trunc_frac").now
    moves = [scene.move("up", "length/mean"), scene.move("down", "length/mean")]
    moves += [scene.move("up", "length/trunc_frac") if cut >= CUT else None]
    move = min(filter(None, moves), key=lambda move: move.since, default=None)
    if not move:
        return None
    levels = scene.levels(move.signal)
    told = f"{move}: {levels.before:.3g} to {levels.now:.3g}"
    mean = scene.levels("length/mean")
    changed = mean.now >= FAR * mean.before or mean.before >= FAR * mean.now
    far = cut >= OFTEN_CUT or changed
    learned = far and scene.is_first(move) and not scene.move("down", *PAID)
    return Clue(1 + far + learned, move.since, (told,))


STARVED = 0.9


def _starvation(scene: Scene) -> Clue | None:
    """Nearly all groups had no spread of reward, before the change already."""
    levels = scene.levels("reward/zero_std_frac")
    if levels.before >= STARVED and levels.now >= STARVED:
        told = f"{levels.now:.0%} of the groups had no spread of reward, before the change too"
        return Clue(3, scene.since, (told,))
    return None


RISING = 1.02
UPDATE_SIGNALS = ("kl/old", "ratio/m2", "ratio/clip_frac", "optim/grad_norm")


def growing_updates(scene: Scene) -> Clue | None:
    """The learning rate was still rising; weakly where updates grew at a constant rate."""
    rate = scene.levels("optim/lr")
    move = scene.move("up", *UPDATE_SIGNALS)
    rising = rate.now > RISING * rate.last_before
    if not (rising or move):
        return None
    told = [f"the learning rate was rising, {rate.last_before:.2g} to {rate.now:.2g}"] * rising
    told += [str(move)] if move else []
    if rising:
        return Clue(2, scene.since, tuple(told))
    return Clue(1, move.since if move else math.inf, tuple(told))


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
    "learning_rate": growing_updates,
}
"""By the keys of `mechanisms.MECHANISMS`; equally strong and simultaneous ones in this order."""

ASKED = (
    *PAID,
    *SOLVED,
    *DISAGREEMENT,
    *UPDATE_SIGNALS,
    "ratio/m2_last",
    "async/staleness",
    "ratio/out_low_frac",
    "ratio/out_high_frac",
    "policy/entropy",
    "policy/valid_frac",
    "length/mean",
    "length/trunc_frac",
    "reward/zero_std_frac",
    "optim/lr",
)
"""Signals whose levels a rule asks for."""
