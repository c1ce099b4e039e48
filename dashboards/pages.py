"""The pages, in the order of the menu: a new one is a line here."""

from __future__ import annotations

from collapse_lab.dashboards import compare_page, run_page, runs_page
from collapse_lab.dashboards.page import Page

PAGES: tuple[Page, ...] = (runs_page.PAGE, run_page.PAGE, compare_page.PAGE)
"""The first is what the app opens on."""
