"""Colours and the look of figures. The hues are Okabe and Ito's, told apart by most colour-blind
people; they are shifted for contrast where small text needs it. assets/app.css has the same."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from html import escape
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

Theme = Literal["light", "dark"]
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


@dataclass(frozen=True, slots=True)
class Palette:
    """Hex colours of one theme; `series` are for overlaid runs or classes, in order."""

    text: str
    muted: str
    grid: str
    surface: str
    line: str
    faint: str
    band: str
    healthy: str
    watch: str
    alarm: str
    critical: str
    since: str
    series: tuple[str, ...]


PALETTES: dict[Theme, Palette] = {
    "light": Palette(
        text="#1c2430", muted="#5b6675", grid="#e8ebf0", surface="#ffffff",
        line="#0072b2", faint="rgba(0,114,178,0.28)", band="rgba(0,158,115,0.13)",
        healthy="#00795a", watch="#8a6d00", alarm="#b35900", critical="#b8341b",
        since="rgba(230,159,0,0.20)",
        series=("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000",
                "#8f8400"),
    ),
    "dark": Palette(
        text="#e3e8ef", muted="#98a3b3", grid="#262d38", surface="#161b22",
        line="#56b4e9", faint="rgba(86,180,233,0.32)", band="rgba(0,190,140,0.14)",
        healthy="#3cc79b", watch="#e5d24a", alarm="#f0a53a", critical="#ff7a55",
        since="rgba(230,159,0,0.20)",
        series=("#56b4e9", "#f08237", "#2cc295", "#e3a1c5", "#e8ae35", "#4f93d6", "#e3e8ef",
                "#f0e442"),
    ),
}  # fmt: skip


def theme_of(name: str | None) -> Theme:
    """The theme that the page's store names; light until it has told."""
    return cast(Theme, name) if name == "dark" else "light"


def layout(theme: str | None, **more: Any) -> dict[str, Any]:
    """A figure's layout in the house style; `more` is laid over it, one level deep."""
    colours = PALETTES[theme_of(theme)]
    axis = {
        "gridcolor": colours.grid, "linecolor": colours.grid, "zeroline": False,
        "tickfont": {"size": 11, "color": colours.muted}, "ticks": "", "automargin": False,
    }  # fmt: skip
    base: dict[str, Any] = {
        "template": {},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 12, "color": colours.text},
        "margin": {"l": 52, "r": 10, "t": 8, "b": 24},
        "showlegend": False,
        "hoverlabel": {
            "bgcolor": colours.surface, "bordercolor": colours.grid,
            "font": {"family": FONT, "size": 12, "color": colours.text},
        },
        "xaxis": {
            **axis, "showgrid": False, "exponentformat": "none", "separatethousands": True,
        },
        "yaxis": {**axis, "nticks": 4, "exponentformat": "e"},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": colours.muted},
    }  # fmt: skip
    for name, value in more.items():
        base[name] = base[name] | value if isinstance(value, dict) and name in base else value
    return base


def inert(text: str) -> str:
    """Text for plotly's titles, labels and hover boxes, which read a little HTML."""
    return escape(text, quote=False)


def packed(values: NDArray[np.float64]) -> dict[str, str]:
    """Numbers as plotly's base64 typed array: small, quick, and NaN is a gap."""
    return {"dtype": "f8", "bdata": base64.b64encode(values.astype("<f8").tobytes()).decode()}
