"""The configurations of frameworks that are known, read into the same few facts.

Names are exact, and each framework is asked only for what its source is known to mean by them. A
name that is absent leaves its fact open, but for TRL's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from collapse_lab.configured.clipping import Clip, named_clip
from collapse_lab.configured.nemo_rl import is_nemo_rl, nemo_rl
from collapse_lab.configured.openrlhf import is_openrlhf, openrlhf
from collapse_lab.configured.prime_rl import is_prime_rl, prime_rl
from collapse_lab.configured.recipes import is_ours, recipe
from collapse_lab.configured.roll import is_roll, roll
from collapse_lab.configured.settings import Settings
from collapse_lab.configured.setup import Setup
from collapse_lab.configured.slime import is_slime, slime
from collapse_lab.configured.trl import async_trl, is_async_trl, is_trl, trl
from collapse_lab.configured.verl import is_verl, verl

FRAMEWORKS: tuple[tuple[Callable[[Settings], bool], Callable[[Settings], Setup]], ...] = (
    (is_ours, recipe),
    (is_async_trl, async_trl),
    (is_trl, trl),
    (is_verl, verl),
    (is_openrlhf, openrlhf),
    (is_slime, slime),
    (is_nemo_rl, nemo_rl),
    (is_roll, roll),
    (is_prime_rl, prime_rl),
)
"""What is told by names that only this framework has, and how it is read."""


def setup_of(config: Any) -> Setup | None:
    """None for a configuration of no framework that is known here."""
    settings = Settings.of(config)
    for is_of, read in FRAMEWORKS:
        if is_of(settings):
            return read(settings)
    return None


def clip_of(config: Any) -> Clip | None:
    """The clip that a run's configuration states: as its framework means it, or by names that many
    loops share; None where it states none that we know."""
    setup = setup_of(config)
    return setup.clip if setup else named_clip(config)
