"""Colours by what they mean, for paper and for the dark.

A shape carries its light colour as an attribute, which every viewer of SVG understands, and a
class of the same name; a page adds `DARK_STYLE`, and whoever prefers the dark gets the other one.
The hues differ in lightness too, and every line also in width or dashes.
"""

from __future__ import annotations

from typing import Literal

COLOURS: dict[str, tuple[str, str]] = {
    "page": ("#ffffff", "#161b22"),
    "plot": ("#f8fafc", "#1c232c"),
    "ink": ("#1f2933", "#e3e8ef"),
    "faint": ("#5b6675", "#98a3b3"),
    "line": ("#1d4ed8", "#7cb0ff"),
    "band": ("#dbe4f0", "#2c3d54"),
    "course": ("#fef6d8", "#2f2c20"),
    "since": ("#fde08a", "#544617"),
    "window": ("#eef2ff", "#262f45"),
    "notice": ("#d97706", "#f0a53a"),
    "alarm": ("#c81e1e", "#ff7b6e"),
    "healthy": ("#15803d", "#4cc38a"),
}


def paint(role: str, how: Literal["fill", "stroke"] = "fill") -> str:
    """Attributes that colour a shape.

    >>> paint("ink")
    'class="fill-ink" fill="#1f2933"'
    """
    return f'class="{how}-{role}" {how}="{COLOURS[role][0]}"'


DARK_STYLE = "\n".join(
    f"  .{how}-{role} {{ {how}: {dark}; }}"
    for role, (_, dark) in COLOURS.items()
    for how in ("fill", "stroke")
)
