"""The state of a page lives in its query string, so that a link shows the same view."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

View = Mapping[str, str]
"""Query parameters by name; absent is the default."""


def parse(search: str | None) -> dict[str, str]:
    """
    >>> parse("?x=time&smooth=0.6")
    {'x': 'time', 'smooth': '0.6'}
    """
    return dict(parse_qsl((search or "").removeprefix("?")))


def control(name: str) -> dict[str, str]:
    """The id of a component whose `value` is kept in the query string under `name`."""
    return {"type": "view", "name": name}


def remembered(name: str, view: View) -> Any:
    """A control without a face, set by JavaScript or a callback."""
    from dash import dcc

    return dcc.Input(id=control(name), value=view.get(name), type="hidden")


def number(view: View, name: str, default: float) -> float:
    """A parameter as a number; what is none counts as absent.

    >>> number({"from": "nan"}, "from", 0.0), number({"from": "1e3"}, "from", 0.0)
    (0.0, 1000.0)
    """
    try:
        value = float(view[name])
    except (KeyError, ValueError, TypeError):
        return default
    return default if math.isnan(value) else value


def run_link(name: str, **query: str) -> str:
    """The address of a run.

    >>> run_link("a b", tab="ratios")
    '/run/a%20b?tab=ratios'
    """
    return f"/run/{quote(name, safe='')}" + (f"?{urlencode(query)}" if query else "")
