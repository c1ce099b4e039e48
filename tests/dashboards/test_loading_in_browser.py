"""What a person sees while a long run, not sealed yet, is still being read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from app_examples import served, write_run

pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
from playwright.sync_api import expect

from collapse_lab.records import Record
from collapse_lab.signals import SIGNALS
from collapse_lab.store import RECORDS, RunWriter

RECORDED, AT = 200_000, 123_456_789
NAMES = [name for name in SIGNALS if name != "reward/mean"][:29]
READ_MS = 180_000
SEEN = """
window.seen = [];
new MutationObserver(() => {
  for (const part of document.querySelectorAll(".spinner, #signals-reading")) {
    const text = part.textContent;
    if (text && !window.seen.includes(text)) window.seen.push(text);
  }
}).observe(document, { childList: true, subtree: true, characterData: true });
"""
"""What is shown for a moment only is noted by the page itself: looks from outside would miss it."""


def write_long(folder: Path) -> None:
    """A run of many seconds to read. The reward is the step."""
    RunWriter(folder, {"framework": "test"})
    line = Record(AT, 1000.0, {"reward/mean": float(AT)} | dict.fromkeys(NAMES, 0.5)).to_json()
    with (folder / RECORDS).open("w") as file:
        file.writelines(line.replace(str(AT), str(step)) + "\n" for step in range(RECORDED))


def test_a_run_that_is_being_read_says_so_and_how_far_and_fills_in_by_itself(
    page: Any, tmp_path: Path
) -> None:
    write_run(tmp_path / "runs" / "short")
    write_long(tmp_path / "long")
    page.add_init_script(SEEN)
    with served(tmp_path / "runs") as link:
        page.goto(link)
        expect(page.locator(".run-link")).to_have_text(["short"])
        (tmp_path / "long").rename(tmp_path / "runs" / "long")
        row = page.locator(".ag-center-cols-container .ag-row[row-id='long']")
        for column in ("health", "spark", "reached"):
            expect(row.locator(f"[col-id={column}] .skeleton")).to_be_visible()
        page.get_by_role("link", name="long", exact=True).click()
        reading = page.locator("#signals-reading")
        expect(reading).to_contain_text("The run is still being read")
        expect(reading).to_have_text("", timeout=READ_MS)
        expect(page.locator("[data-signal='reward/mean'] .latest")).to_have_text("2e+05")
        expect(page.locator(".fact", has_text="Steps")).to_contain_text(f"{RECORDED:,}")
        seen: list[str] = page.evaluate("window.seen")
        page.go_back()
        expect(row.locator(".steps")).to_have_text(f"{RECORDED:,}")
        expect(row.locator(".skeleton")).to_have_count(0)
        page.goto("about:blank")
    told = [re.search(r"still being read: ([\d,]+) records so far", text) for text in seen]
    counts = [int(one[1].replace(",", "")) for one in told if one]
    assert counts == sorted(counts)
    assert 0 < counts[0] < RECORDED and counts[-1] <= RECORDED
    assert "Loading" in seen
