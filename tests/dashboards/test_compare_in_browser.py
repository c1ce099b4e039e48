"""Compare and report driven as a person does, in a real Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from app_examples import alarm_at, collapsing, served, write_run

pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
from playwright.sync_api import expect

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def address(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app over a fallen, a healthy and a strangely named run."""
    root = tmp_path_factory.mktemp("runs")
    write_run(root / "fallen", collapsing(), [alarm_at(42)], config={"algorithm": "cispo"})
    healthy = [0.5 + 0.01 * (step % 5) for step in range(60)]
    write_run(root / "steady", healthy, config={"algorithm": "sampo"})
    write_run(root / HOSTILE, collapsing(), [alarm_at(30)], config={"algorithm": HOSTILE})
    with served(root) as link:
        yield link.rstrip("/")


def compared(page: Any, address: str, query: str) -> None:
    page.goto(f"{address}/compare?{query}")
    page.wait_for_selector(".panel .scatterlayer .trace")
    page.wait_for_selector(".compare-table td")


def test_runs_are_aligned_at_their_alarm_and_the_link_shows_the_same(
    page: Any, address: str
) -> None:
    compared(page, address, "runs=fallen,steady")
    assert page.locator(".compare-runs li").count() == 2
    page.get_by_role("button", name="First alarm").click()
    page.wait_for_selector(".compare-runs li.absent")
    assert "Without an alarm, so not drawn: steady." in page.inner_text(".compare-notes")
    assert "align=alarm" in page.url
    page.reload()
    page.wait_for_selector(".compare-runs li.absent")
    pressed = page.get_by_role("button", name="First alarm").get_attribute("aria-pressed")
    assert pressed == "true"


def test_a_zoom_is_in_the_address_and_goes_again(page: Any, address: str) -> None:
    compared(page, address, "runs=fallen,steady")
    page.wait_for_timeout(500)
    box = page.locator(".panel .nsewdrag").first.bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 42, steps=6)
    page.mouse.up()
    page.wait_for_url(re.compile("from=.*to="))
    page.click("#compare-whole")
    page.wait_for_url(lambda url: "from=" not in url)


def test_the_settings_that_differ_are_told_and_group_the_runs(page: Any, address: str) -> None:
    compared(page, address, "runs=fallen,steady&by=algorithm")
    assert page.locator(".compare-runs li").all_inner_texts()[0].startswith("algorithm cispo")
    rows = page.locator(".compare-table tbody.settings tr").all_inner_texts()
    assert rows == ["algorithm\tcispo\tsampo"]


def test_a_run_is_left_out_by_its_cross(page: Any, address: str) -> None:
    compared(page, address, "runs=fallen,steady")
    page.get_by_role("button", name="Leave steady out").click()
    page.wait_for_url(lambda url: "steady" not in url)
    expect(page.locator(".compare-runs li")).to_have_count(1)


def test_a_hostile_name_is_text_on_every_part_of_the_page(page: Any, address: str) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    compared(page, address, "runs=fallen,%253Cimg%20src%3Dx%20onerror%3Dalert(1)%253E&by=algorithm")
    assert HOSTILE in page.inner_text(".compare-runs")
    assert HOSTILE in page.inner_text(".compare-table")
    assert page.locator(".compare img").count() == 0


def test_without_runs_the_page_says_how_to_choose_some(page: Any, address: str) -> None:
    page.goto(f"{address}/compare")
    page.get_by_role("link", name="the 3 latest").click()
    expect(page.locator(".compare-runs li")).to_have_count(3)


def test_the_report_of_a_run_is_shown_and_downloaded(
    page: Any, address: str, tmp_path: Path
) -> None:
    page.goto(f"{address}/run/fallen?tab=report")
    page.wait_for_selector("#report-text:has-text('How to see it again')")
    assert page.inner_text("#report-text").startswith("# Alarm at step 42: fallen")
    with page.expect_download() as download:
        page.click("#report-html")
    assert download.value.suggested_filename == "fallen-report.html"
    download.value.save_as(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert text.startswith("<!doctype html>") and "Alarm at step 42" in text


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_a_report_opens_without_an_error_and_fits_the_screen(
    browser: Any, tmp_path: Path, scheme: str, width: int
) -> None:
    from collapse_lab.report import open_case, to_html

    write_run(tmp_path / HOSTILE, collapsing(), [alarm_at(42)])
    file = tmp_path / "report.html"
    file.write_text(to_html(open_case(tmp_path / HOSTILE)), encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    wrong: list[str] = []
    page.on("console", lambda said: wrong.append(said.text))
    page.on("request", lambda request: wrong.append(request.url))
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    page.goto(file.as_uri())
    assert wrong == [file.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ink = page.evaluate("getComputedStyle(document.querySelector('svg .fill-plot')).fill")
    assert ink == ("rgb(28, 35, 44)" if scheme == "dark" else "rgb(248, 250, 252)")
    page.close()
