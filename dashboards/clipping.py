"""Where a run's loss clips the importance ratio, as far as its configuration says so."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from collapse_lab.report.redact import settings

Level = Literal["token", "mean", "sequence"]
"""What the bounds hold for: a token's ratio, the geometric mean over a response, or its product."""
CHOSEN = "choices.clip"
BOUNDS = (
    ("epsilon", "epsilon_high"),
    ("clip_ratio_low", "clip_ratio_high"),
    ("clip_ratio", "clip_ratio"),
    ("eps_clip", "eps_clip"),
    ("clip_range", "clip_range"),
    ("cliprange", "cliprange"),
)
"""(low, high) as TRL, verl, OpenRLHF and older loops name them."""
PLACES = ("", "actor.", "algorithm.", "actor_rollout_ref.actor.")
LEVELS: dict[str, Level] = {"token": "token", "sequence": "mean", "sequence_token": "mean"}
"""TRL's importance_sampling_level."""
SOFT = ("SoftGate", "SequenceGate")
MOST_TEXT = 2000


@dataclass(frozen=True, slots=True)
class Clip:
    """Bounds of the log-ratio, infinite where there is none; `mask` is how far below 0 the mean
    log-ratio of a response with A < 0 may lie before it is dropped. `said` is the setting."""

    level: Level
    low: float
    high: float
    said: str
    soft: bool = False
    mask: float | None = None


def clip_of(config: Any) -> Clip | None:
    """The clip that a run's configuration states; None where it states none that we know."""
    flat = dict(settings(config)) if isinstance(config, Mapping) else {}
    if chosen := flat.get(CHOSEN):
        return _chosen(chosen[:MOST_TEXT])
    for place in PLACES:
        for low_name, high_name in BOUNDS:
            low = _number(flat.get(place + low_name))
            if low is None:
                continue
            high = _number(flat.get(place + high_name))
            high = low if high is None else high
            level = LEVELS.get(flat.get("importance_sampling_level", ""), "token")
            said = f"{low_name} {low:g}" + (f", {high_name} {high:g}" if high != low else "")
            return Clip(level, _log(1 - low), _log(1 + high), said)
    return None


def _chosen(text: str) -> Clip | None:
    """A clip of our own trainer as it is recorded, such as `HardClip(low=0.2, high=0.2)`."""
    try:
        call = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    level: Level = "token"
    mask: float | None = None
    soft = False
    low = high = math.inf
    while isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
        name = call.func.id
        given = {word.arg: word.value for word in call.keywords if word.arg}
        soft |= name in SOFT
        if name == "PerSequence":
            level = "mean"
        if name == "SequenceGate":
            level = "sequence"
        if name == "SequenceMask":
            mask = _constant(given.get("delta"))
        if name in ("HardClip", "ClippedWeight"):
            low = _constant(given.get("low")) or 0.0
            high = _constant(given.get("high")) or 0.0
        inner = given.get("inner")
        if inner is None:
            break
        call = inner
    return Clip(level, _log(1 - low), _log(1 + high), text, soft, mask)


def _constant(node: ast.expr | None) -> float | None:
    value = cast(Any, node).value if isinstance(node, ast.Constant) else None
    return float(value) if isinstance(value, (int, float)) else None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _log(value: float) -> float:
    """
    >>> _log(0.0), _log(-math.inf), _log(1.0)
    (-inf, -inf, 0.0)
    """
    return math.log(value) if value > 0 else -math.inf
