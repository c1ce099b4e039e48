"""From what moved, in which order and from which level: the mechanisms that an alarm points at.

One rule a mechanism. Each looks for what the mechanism means (docs/mechanisms.md) and says how
strongly it speaks for it:

    4  what is seen is the mechanism itself: a loss that is not a number
    3  its own signals stand where they cannot be healthy, or were the first to move
    2  its own signals moved
    1  a circumstance that it needs is there

The strongest come first; of equally strong ones a circumstance comes before what it leads to, and
the signals that moved first before those that moved later. Where no rule speaks nothing is named:
unclear is an answer.

Where the run's configuration is known, what it rules out is not named (the alarm's notes say so),
and what it makes possible counts one more, up to 3. Some circumstances leave no number in most
logs; for these (`UNSEEN`) it is enough that they are configured and that updates grow.
"""

from __future__ import annotations

from collections.abc import Iterable

from collapse_lab.configured.suspects import NOTHING, Suspects
from collapse_lab.detectors.clues import DISAGREEMENT, RULES, growing_updates
from collapse_lab.detectors.history import History
from collapse_lab.detectors.scene import Clue, Scene
from collapse_lab.mechanisms import mechanism
from collapse_lab.records import Evidence, Suspicion

MOST = 3
"""Mechanisms named at most."""
UNSEEN = {
    "staleness": ("ratio/m2", "ratio/m2_last", "async/staleness"),
    "mismatch": tuple(DISAGREEMENT),
    "tolerant_clip": ("ratio/out_low_frac", "ratio/out_high_frac"),
}
"""Circumstances that make growing updates do harm, with the signals that their own rules look at.
"""
MOST_CONFIGURED = 3
"""The strength that a configuration may lend: the mechanism itself is seen, not configured."""


def likely(
    evidence: Iterable[Evidence], history: History, since: int, suspects: Suspects = NOTHING
) -> tuple[Suspicion, ...]:
    """The mechanisms that this evidence points at, the likeliest first.

    `history` holds the levels of `ASKED` up to now, and `since` is the step at which the change
    may have begun at the earliest. Of two pieces of evidence on one signal the stronger counts.
    `suspects` is what the run's configuration rules out and makes possible.
    """
    strongest = {part.signal: part for part in sorted(evidence, key=lambda part: part.score)}
    scene = Scene(strongest, history, since)
    clues = {
        key: clue
        for key, rule in RULES.items()
        if key not in suspects.ruled_out
        if (clue := _configured(key, rule(scene), scene, suspects))
    }
    ranked = sorted(clues.items(), key=lambda item: (-item[1].strength, item[1].since))
    return tuple(Suspicion(key, clue.because) for key, clue in ranked[:MOST])


def not_considered(suspects: Suspects) -> tuple[str, ...]:
    """A line on what the configuration rules out; none where it rules out nothing.

    >>> not_considered(Suspects({"staleness": "one update is made of every batch of rollouts"}))
    ('not considered: off-policy staleness (one update is made of every batch of rollouts)',)
    """
    parts = [f"{mechanism(key).name} ({why})" for key, why in suspects.ruled_out.items()]
    return (f"not considered: {', '.join(parts)}",) if parts else ()


def _configured(key: str, clue: Clue | None, scene: Scene, suspects: Suspects) -> Clue | None:
    """A rule's clue, stronger where the configuration makes its mechanism possible. What speaks for
    growing updates then speaks for a circumstance whose own numbers the run does not log."""
    if key not in suspects.possible:
        return clue
    if clue is None and key in UNSEEN and not any(map(scene.is_logged, UNSEEN[key])):
        clue = growing_updates(scene)
    if clue is None:
        return None
    because = (*clue.because, f"as configured, {suspects.possible[key]}")
    strength = max(clue.strength, min(clue.strength + 1, MOST_CONFIGURED))
    return Clue(strength, clue.since, because)
