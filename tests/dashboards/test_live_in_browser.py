"""A run that grows at 20 records a second, ends, starts anew and is deleted, under an open page."""

from __future__ import annotations

import math
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from app_examples import served

pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
from playwright.sync_api import expect

from collapse_lab.records import Record
from collapse_lab.store import RunWriter

PACE = 20
"""Records a second."""
LATE_SECONDS = 2.0
LATEST = "[data-signal='reward/mean'] .latest"


class Growing:
    """Writes the step itself as the reward, so that the page tells how late it is."""

    def __init__(self, folder: Path, after: int) -> None:
        self.writer = RunWriter(folder, {"framework": "test"})
        self.written = after
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._grow)
        self._thread.start()

    def _grow(self) -> None:
        while not self._stop.wait(1 / PACE):
            step = self.written + 1
            self.writer.append(Record(step, time.time(), {"reward/mean": float(step)}))
            self.written = step

    def end(self) -> None:
        self._stop.set()
        self._thread.join()
        self.writer.finish()


@contextmanager
def growing(folder: Path, after: int = -1) -> Iterator[Growing]:
    """A run whose next step is the one after `after`."""
    run = Growing(folder, after)
    try:
        yield run
    finally:
        if not run._stop.is_set():
            run.end()


def shown(page: Any) -> float:
    """The newest reward on screen."""
    latest = page.locator(LATEST)
    return float(latest.inner_text() or "nan") if latest.count() else math.nan


def until(page: Any, holds: Callable[[float], bool]) -> None:
    """Waits for what is on screen; the page's policy leaves no `wait_for_function`."""
    deadline = time.monotonic() + 60
    while not holds(shown(page)):
        assert time.monotonic() < deadline, f"still {shown(page)}"
        page.wait_for_timeout(50)


def lateness(page: Any, run: Growing, seconds: float = 3.0) -> float:
    """The worst age, in seconds, of the oldest record that was not on screen yet."""
    worst, end = 0.0, time.monotonic() + seconds
    while time.monotonic() < end:
        written = run.written
        worst = max(worst, (written - shown(page)) / PACE)
        page.wait_for_timeout(50)
    return worst


def test_a_live_run_is_on_screen_and_the_page_outlives_it(page: Any, tmp_path: Path) -> None:
    folder = tmp_path / "grows"
    with served(tmp_path) as link:
        with growing(folder) as run:
            page.goto(f"{link}run/grows")
            expect(page.locator("#signals-live")).to_be_visible()
            until(page, lambda reward: reward > 20)
            # the promise is about an idle machine: of a busy one, the best of some looks
            late: list[float] = []
            while not late or (late[-1] >= LATE_SECONDS and len(late) < 8):
                late.append(lateness(page, run))
            print(f"worst lateness by look, s: {late}")
            assert late[-1] < LATE_SECONDS
        expect(page.locator("#signals-live")).to_be_hidden()
        expect(page.locator(".run-title")).to_contain_text("finished")
        until(page, lambda reward: reward == run.written)
        with growing(folder, after=run.written - 20):  # from its last checkpoint
            expect(page.locator(".run-title")).to_contain_text("running")
            until(page, lambda reward: reward > run.written + 5)
        shutil.rmtree(folder)
        expect(page.locator("#run-head")).to_contain_text("This run's folder is gone")
        assert page.locator(".panel .scatterlayer .trace").count() > 0
        page.goto("about:blank")
