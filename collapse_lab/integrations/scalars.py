"""What a person may pass to `run.log`: nested dictionaries of anything that is one number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def scalars(data: Mapping[str, Any], prefix: str = "") -> tuple[dict[str, float], list[str]]:
    """Numbers under names joined with "/", and the names whose value is not one number.

    Python, NumPy and torch scalars all count; a text that looks like a number does not.

    >>> scalars({"loss": 1, "train": {"kl": 0.5, "note": "fine"}})
    ({'loss': 1.0, 'train/kl': 0.5}, ['train/note'])
    """
    numbers: dict[str, float] = {}
    others: list[str] = []
    for key, value in data.items():
        name = f"{prefix}{key}"
        if type(value) is float:
            numbers[name] = value
        elif isinstance(value, Mapping):
            inner, rejected = scalars(value, f"{name}/")  # pyright: ignore[reportUnknownArgumentType]
            numbers |= inner
            others += rejected
        elif (converted := _number(value)) is not None:
            numbers[name] = converted
        else:
            others.append(name)
    return numbers, others


def _number(value: Any) -> float | None:
    if isinstance(value, (str, bytes)):
        return None
    try:
        # item() takes NumPy arrays and tensors that hold one element, of any shape
        return float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None
