"""How a finished run is judged: as it was while it went on, by what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from collapse_lab.detectors.limits import Limits
from collapse_lab.detectors.panel import Panel
from collapse_lab.readers.reader import Log


def facts_of(meta: Mapping[str, Any], log: Log, run: str) -> Mapping[str, Any]:
    """`meta` (run.json, {} without one), with the configuration that the log states of this run
    where it has none."""
    config = meta.get("config") or log.config(run)
    return {**meta, "config": config} if config else meta


def panel_for(facts: Mapping[str, Any], limits: Limits | None = None) -> Panel:
    """The panel of a run with these facts, as `facts_of` or run.json has them."""
    return Panel(facts.get("planned_steps"), limits=limits, config=facts.get("config"))
