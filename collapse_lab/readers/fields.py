"""Loose fields of generic formats: which one is the step, which the time, which are numbers.

Frameworks with a format of their own say where the step is; JSON lines, tables and `key: value`
lines do not, so the names that occur in practice are listed here, once for all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast

from collapse_lab.readers.base import Row, number
from collapse_lab.readers.epochs import EpochSteps
from collapse_lab.readers.nulls import NULL, Nulls

SYNONYMS = (
    "step",
    "global_step",
    "_step",
    "training/global_step",
    "train/global_step",
    "trainer/global_step",
    "training_step",
    "trainer_step",
    "train_step",
    "train/step",
)
"""Names of the training step; lines of one log may use several of them."""

GLOBAL_STEPS = ("train/global_step", "trainer/global_step", "training/global_step", "global_step")
"""Under these a program states its step to a tracker: transformers, OpenRLHF; Lightning; verl."""

STEP_KEYS = (
    *SYNONYMS,
    "system/step",  # ROLL
    "progress/batch",  # tinker-cookbook
    "iteration",
    "iter",
    "training_iteration",  # RLlib
    "update",
    "episode",
    "epoch",
)
"""Lower case, spaces as underscores; the first that a log has is its step, an epoch comes last."""

TOTAL_KEYS = (
    "time/total_timesteps",  # Stable-Baselines3
    "misc/total_timesteps",  # baselines PPO2
    "total_timesteps",  # older baselines, with a space
    "timestepssofar",  # baselines PPO1 and TRPO
    "total/steps",  # baselines DDPG
    "timesteps_total",
    "timesteps",
    "totalenvinteracts",  # Spinning Up
    "steps",
    "time/iterations",
    "episodes",
)
"""Steps as the column of a table; elsewhere such words state a plan (`total_timesteps: 1e6`)."""
TABLE_STEP_KEYS = STEP_KEYS + TOTAL_KEYS

EPOCH = "epoch"
TIME_KEYS = ("time", "timestamp", "_timestamp", "wall_time", "date", "datetime", "created_at")

_UNIX_SECONDS = (1e9, 1e10)  # 2001 to 2286: anything else under a time key is a duration


class FieldReader:
    """Turns the fields of one log into rows; it stays with the step key that it found first.

    What turns out to have fractions (an epoch of 0.25) counts no steps, also where it is whole.
    """

    def __init__(self, step_keys: tuple[str, ...] = STEP_KEYS) -> None:
        self._step_keys = step_keys
        self._step_key: str | None = None
        self._fractional: set[str] = set()
        self._nulls = Nulls()
        self._keys: Set[str] = frozenset()
        self._times: set[str] = set()
        self._epoch_key: str | None = None
        self._epochs = EpochSteps()

    def row(self, fields: Mapping[str, Any], run: str = "") -> Row:
        """Row of the numbers in `fields` (flat); its step is None when no field is a step."""
        step_key = self._find_step(fields)
        if fields.keys() != self._keys:
            self._keys = fields.keys()
            self._times = {key for key in fields if _normal(key) in TIME_KEYS}
            self._epoch_key = next((key for key in fields if _normal(key) == EPOCH), None)
        values: dict[str, float] = {}
        nulls: list[str] = []
        time = math.nan
        for key, raw in fields.items():
            if key == step_key:
                continue
            if type(raw) is float and key not in self._times:
                values[key] = raw
            elif key in self._times and not math.isnan(seconds := moment(raw)):
                time = seconds
            elif (value := to_number(raw)) is not None:
                values[key] = value
            elif raw is None:
                nulls.append(key)
        notes = dict.fromkeys(self._nulls.lost(values.keys(), nulls), NULL)
        values |= dict.fromkeys(notes, math.nan)
        step = None if step_key is None else to_step(fields[step_key])
        if step is not None and step_key != self._epoch_key and self._epoch_key in values:
            step = self._placed(step, self._epoch_key, values[self._epoch_key])
        return Row(step, values, time, notes, run)

    @property
    def has_step(self) -> bool:
        """Whether a step has been seen, and no fraction of it since."""
        return self._step_key is not None

    def _placed(self, step: int, epoch_key: str, epoch: float) -> int:
        """The step of the whole run, where whole epochs are counted beside it."""
        if not epoch.is_integer():
            self._fractional.add(epoch_key)
        return step if epoch_key in self._fractional else self._epochs.place(epoch, step)

    def _find_step(self, fields: Mapping[str, Any]) -> str | None:
        known = self._step_key
        if known is not None and known in fields and to_step(fields[known]) is not None:
            return known
        candidates = step_candidates(fields, self._step_keys)
        self._fractional |= {key for key in candidates if _is_fraction(fields[key])}
        if known in self._fractional:
            known = self._step_key = None
        candidates = [key for key in candidates if key not in self._fractional]
        if known is not None:
            same = _normal(known) in SYNONYMS
            candidates = [key for key in candidates if same and _normal(key) in SYNONYMS]
        found = next((key for key in candidates if to_step(fields[key]) is not None), None)
        self._step_key = known or found
        return found


class LogCalls:
    """Puts together the `log` calls of one training step where the tracker numbers the calls.

    W&B and trackio count calls when the program does not tell them its step. A program that then
    states it among its numbers, as the transformers Trainer does, is believed: what it logs without
    it belongs to the step that it stated last. Else calls numbered in sequence are parts of one
    step until a key comes again.
    """

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._first = self._last = -2
        self._stated: int | None = None

    def row(self, row: Row) -> Row:
        """The row at the step that the program stated, or else at that of its first call."""
        assert row.step is not None
        stated = next((key for key in GLOBAL_STEPS if key in row.values), None)
        if stated is not None and (step := to_step(row.values[stated])) is not None:
            self._stated = step
        if self._stated is not None:
            values = {key: value for key, value in row.values.items() if key != stated}
            return replace(row, step=self._stated, values=values)
        if row.step != self._last + 1 or self._keys & row.values.keys():
            self._keys, self._first = set(), row.step
        self._last = row.step
        self._keys |= row.values.keys()
        return Row(self._first, row.values, row.time, row.notes, row.run)


def step_candidates(keys: Iterable[str], step_keys: tuple[str, ...] = STEP_KEYS) -> list[str]:
    """The keys that may be the step, the best first."""
    found = {normal: key for key in keys if (normal := _normal(key)) in step_keys}
    return [found[key] for key in step_keys if key in found]


def to_step(raw: Any) -> int | None:
    """A whole number that fits 64 bits, as int, float or text; else None."""
    value = None if isinstance(raw, bool) else to_number(raw)
    if value is None or not value.is_integer() or abs(value) >= 2**63:
        return None
    return int(value)


def _is_fraction(raw: Any) -> bool:
    value = to_number(raw)
    return value is not None and math.isfinite(value) and not value.is_integer()


def to_number(raw: Any) -> float | None:
    """float of a number, a bool or a numeric text; None for anything else."""
    if isinstance(raw, str):
        return number(raw)
    if isinstance(raw, (bool, int, float)):
        try:
            return float(raw)
        except OverflowError:  # an integer beyond 1e308
            return math.inf if raw > 0 else -math.inf
    return None


def moment(raw: Any) -> float:
    """Unix seconds of a time stamp (seconds, or ISO 8601 in UTC by default), else NaN."""
    value = to_number(raw)
    if value is not None:
        return value if _UNIX_SECONDS[0] < value < _UNIX_SECONDS[1] else math.nan
    try:
        stamp = datetime.fromisoformat(raw)
    except (TypeError, ValueError):
        return math.nan
    return (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp()


def flatten(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of nested dicts, names joined with "/".

    >>> dict(flatten({"loss": 1, "actor": {"kl": 2, "clip": {"low": 3}}}))
    {'loss': 1, 'actor/kl': 2, 'actor/clip/low': 3}
    """
    for key, value in document.items():
        if isinstance(value, dict):
            yield from flatten(cast(dict[str, Any], value), f"{prefix}{key}/")
        else:
            yield prefix + key, value


@lru_cache(maxsize=10_000)
def _normal(key: str) -> str:
    return key.strip().lower().replace(" ", "_")
