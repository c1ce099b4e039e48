"""Where a run's loss clips the importance ratio, as far as its configuration says so."""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from collapse_lab.configured.settings import Settings

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
PLACES = ("", "arguments.", "actor.", "algorithm.", "actor_rollout_ref.actor.")
LEVELS: dict[str, Level] = {"token": "token", "sequence": "mean", "sequence_token": "mean"}
"""TRL's importance_sampling_level."""
LOSSES = ("loss_type", "policy_loss.loss_mode")
"""What TRL and verl name the form of the loss by."""
HARD: dict[str, Level | None] = {
    **dict.fromkeys(("", "grpo", "dr_grpo", "dapo", "bnpo", "luspo", "vanilla", "clip_cov"), None),
    "gspo": "mean",
}
"""Forms that clip at the bounds, with the level where the form says it."""
CAPPED, GATED, GATED_WHOLE = "cispo", "sapo", "vespo"
TRL_ALONE = ("num_generations", "num_iterations", "max_completion_length")
"""Stand together in the arguments of TRL's online trainers, with `TRL_EPSILON` as the default of
what was left out."""
TRL_EPSILON = 0.2
MASK = "off_policy_mask_threshold"
"""TRL's name for what `Clip.mask` is."""
SOFT = ("SoftGate", "SequenceGate")
KEEPING = ("ClippedWeight", "SoftGate")
MOST_TEXT = 2000


@dataclass(frozen=True, slots=True)
class Clip:
    """Bounds of the log-ratio, infinite where there is none; `mask` is how far below 0 the mean
    log-ratio of a response with A < 0 may lie before it is dropped. `said` is the setting.
    `keeps` says that a token keeps its gradient however far it is beyond the bounds."""

    level: Level
    low: float
    high: float
    said: str
    soft: bool = False
    mask: float | None = None
    keeps: bool = False


def named_clip(config: Any) -> Clip | None:
    """The clip that a configuration states by the names above, whatever framework it is of."""
    settings = Settings.of(config)
    if chosen := settings.text(CHOSEN):
        return _chosen(chosen[:MOST_TEXT])
    stated = (_stated(settings.below(place)) for place in PLACES)
    return next((clip for clip in stated if clip), None)


def _stated(here: Settings) -> Clip | None:
    form = next((text for name in LOSSES if (text := here.text(name))), "")
    if form == GATED:
        mask = here.number(MASK)
        return Clip("token", -math.inf, math.inf, form, soft=True, mask=mask, keeps=True)
    if form == GATED_WHOLE:
        return Clip("sequence", -math.inf, math.inf, form, soft=True)
    if form not in (*HARD, CAPPED):
        return None
    level = HARD.get(form) or LEVELS.get(here.text("importance_sampling_level") or "", "token")
    for low_name, high_name in BOUNDS:
        low = here.number(low_name)
        if low is None and low_name == "epsilon" and here.states(*TRL_ALONE):
            low = TRL_EPSILON
        if low is None or low < 0:
            continue
        high = here.number(high_name)
        high = low if high is None or high < 0 else high
        form = form if form == CAPPED else ""
        mask = here.number(MASK)
        clip = ratio_clip(level, (low_name, low), (high_name, high), form=form, mask=mask)
        if clip and form and low_name == "epsilon":  # TRL's bound above is the cap itself
            return replace(clip, low=-math.inf, high=_log(high))
        return clip
    return None


def ratio_clip(
    level: Level,
    lower: tuple[str, float | None],
    upper: tuple[str, float | None],
    form: str = "",
    mask: float | None = None,
) -> Clip | None:
    """Bounds `1 - low` and `1 + high` of the ratio, each with the name of its setting; an upper one
    that is not stated is as the lower one. `form` is CAPPED for CISPO, which caps the weight of a
    token and never its gradient. None without a lower bound."""
    (low_name, low), (high_name, high) = lower, upper
    if low is None or low < 0:
        return None
    high = low if high is None or high < 0 else high
    said = f"{low_name} {low:g}" + (f", {high_name} {high:g}" if high != low else "")
    said = f"{form}, {said}" if form else said
    return Clip(level, _log(1 - low), _log(1 + high), said, mask=mask, keeps=bool(form))


def _chosen(text: str) -> Clip | None:
    """A clip of our own trainer as it is recorded, such as `HardClip(low=0.2, high=0.2)`."""
    try:
        call = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    level: Level = "token"
    mask: float | None = None
    soft = keeps = False
    low = high = math.inf
    while isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
        name = call.func.id
        given = {word.arg: word.value for word in call.keywords if word.arg}
        soft |= name in SOFT
        keeps |= name in KEEPING
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
    return Clip(level, _log(1 - low), _log(1 + high), text, soft, mask, keeps)


def _constant(node: ast.expr | None) -> float | None:
    value = cast(Any, node).value if isinstance(node, ast.Constant) else None
    return float(value) if isinstance(value, (int, float)) else None


def _log(value: float) -> float:
    """
    >>> _log(0.0), _log(-math.inf), _log(1.0)
    (-inf, -inf, 0.0)
    """
    return math.log(value) if value > 0 else -math.inf
