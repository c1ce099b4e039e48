"""One real Chromium, and the app as `collapse-lab dash` serves it, for the tests in the browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from app_examples import served

DATA = Path(__file__).parents[2] / "data"
RUNS = ("demo/collapse", "demo/healthy", "arena/household-cispo-0", "arena/household-sampo-0")
PATIENCE_MS = 60_000
"""Machines that test are often busy; a page that answers is not waited for."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra dev)")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("the browser tests need Chromium: apt-get install chromium")
    sync_api.expect.set_options(timeout=PATIENCE_MS)
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A fresh page; whatever it says on its console as an error fails the test."""
    fresh = browser.new_page(viewport={"width": 1280, "height": 900})
    fresh.set_default_timeout(PATIENCE_MS)
    wrong: list[str] = []
    fresh.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    fresh.on("pageerror", lambda error: wrong.append(str(error)))
    yield fresh
    fresh.close()
    assert wrong == []


@pytest.fixture(scope="session")
def app(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The link of the app over real runs: the demo's two and two of the arena."""
    root = tmp_path_factory.mktemp("runs")
    for run in RUNS:
        shutil.copytree(DATA / run, root / Path(run).name)
    with served(root) as link:
        yield link.rstrip("/")
