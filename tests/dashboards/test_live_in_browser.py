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
from app_examples import alarm_at, collapsing, served, write_run

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


NOTING = """
window.noted = [];
const Own = window.Notification;
window.Notification = class extends Own {
  constructor(title, options) { super(title, options); window.noted.push(options.body); }
};
"""


def test_a_new_alarm_is_told_in_the_page_and_where_allowed_by_the_browser(
    browser: Any, tmp_path: Path
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(NOTING)
    writer = write_run(tmp_path / "runs" / "grows", collapsing(), finish=False)
    with served(tmp_path / "runs") as link:
        context.grant_permissions(["notifications"], origin=link.rstrip("/"))
        page.goto(link)
        expect(page.locator("#notify")).to_have_text("Notifying")
        expect(page.locator(".run-link")).to_have_text(["grows"])
        with page.expect_response("**/_pulse?heard=*"):
            pass
        writer.alarm(alarm_at(42))
        expect(page.locator("#announcer")).to_contain_text("grows: alarm at step 42")
        assert page.evaluate("window.noted") == [page.inner_text("#announcer")]
        page.goto("about:blank")
    context.close()
    writer.finish()


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
