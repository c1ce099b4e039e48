"""What a page is, and what a tab of the run page is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from collapse_lab.dashboards.desk import Desk
from collapse_lab.dashboards.view import View


class App(Protocol):
    """What pages need of `dash.Dash`, which has no complete types."""

    server: Any

    def callback(self, *wires: Any, **options: Any) -> Callable[[Callable[..., Any]], Any]: ...
    def clientside_callback(self, function: Any, *wires: Any, **options: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Page:
    """A page at `path`; a path that ends in "/" also takes what follows it (the view's "path").
    `menu` puts it into the bar at the top."""

    path: str
    title: str
    layout: Callable[[Desk, View], Any]
    callbacks: Callable[[App, Desk], None]
    menu: bool = True


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab of the run page, at `/run/NAME?tab=key`; `layout` also takes the run's name."""

    key: str
    title: str
    layout: Callable[[Desk, str, View], Any]
    callbacks: Callable[[App, Desk], None]
