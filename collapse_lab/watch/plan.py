"""What is to be done with a run that is watched, apart from where its records come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collapse_lab.actions import NOTHING, Policy
from collapse_lab.watch import Judge

if TYPE_CHECKING:
    from collapse_lab.alerts import Target


@dataclass(frozen=True, slots=True)
class Plan:
    """`folder` is absolute. `meta` goes into run.json. `make_panel` takes the number of planned
    steps and the run's configuration, None where unknown. `targets` makes the alert targets or
    raises ValueError. `follow` says that the run goes on whether or not it is watched: watching it
    again is no restart of it.
    """

    folder: Path
    meta: Mapping[str, Any]
    make_panel: Callable[[int | None, Any], Judge]
    targets: Callable[[], Sequence[Target]] = list
    policy: Policy = NOTHING
    cooldown: float = 600.0
    most_alerts: int = 50
    follow: bool = False
