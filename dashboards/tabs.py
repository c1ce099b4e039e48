"""The tabs of the run page, in order: a new one is a line here."""

from __future__ import annotations

from collapse_lab.dashboards import (
    evidence_tab,
    ratio_tab,
    report_tab,
    signals_tab,
    workbench_tab,
)
from collapse_lab.dashboards.page import Tab

TABS: tuple[Tab, ...] = (
    signals_tab.TAB,
    evidence_tab.TAB,
    ratio_tab.TAB,
    workbench_tab.TAB,
    report_tab.TAB,
)
"""The first is what a run opens on."""
