"""A person diagnoses a run: from the table to the report, and every page to a screen reader."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from app_examples import served, write_run

pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
from playwright.sync_api import expect

from collapse_lab.dashboards.judging import judge
from collapse_lab.dashboards.tabs import TABS
from collapse_lab.records import told_first

DATA = Path(__file__).parents[2] / "data"
COLLAPSE = DATA / "demo" / "collapse"
FILLED = ".panel .scatterlayer .trace"
PAGES = {
    "runs": "/",
    "no run found": "/?q=nothing-like-this",
    "compare": "/compare?runs=collapse,healthy&align=alarm",
    "nothing to compare": "/compare",
    "no such page": "/nowhere",
    "no such run": "/run/nobody",
    **{f"run, {tab.key}": f"/run/collapse?tab={tab.key}" for tab in TABS},
}


def test_the_collapsed_run_is_found_and_its_first_signal_read(page: Any, app: str) -> None:
    page.goto(app)
    row = page.locator(".ag-center-cols-container .ag-row")
    expect(row).to_have_count(4)
    page.keyboard.press("/")
    for _ in range(5):  # from none to one, which the grid's own way of asking loses at times
        page.keyboard.press("Control+a")
        page.keyboard.type("demo-nothing")
        expect(row).to_have_count(0)
        expect(page.locator("#runs-count")).to_have_text("0 of 4")
        page.keyboard.press("Control+a")
        page.keyboard.type("name:collapse")
        expect(page.locator(".run-link")).to_have_text(["collapse"])
        expect(page.locator("#runs-count")).to_have_text("1 of 4")
    expect(row.locator(".badge")).to_have_text(re.compile("alarm|critical"))  # judged by the app
    page.get_by_role("link", name="collapse", exact=True).click()
    page.wait_for_url("**/run/collapse")
    expect(page.locator(".verdict")).to_contain_text(re.compile(r"Alarm at step \d+"))
    moved = page.locator(".family", has_text="What moved").locator(".panel .signal")
    expect(moved.first).to_have_text("reward/success_rate")
    page.get_by_role("link", name="Evidence").click()
    first = page.locator(".lanes li").first
    expect(first.locator(".rank")).to_have_text("1")
    signal = first.locator(".signal").inner_text()
    first.locator("a").click()  # its own panel, around the alarm
    page.wait_for_url(re.compile(r"tab=signals.*from="))
    expect(page.locator(".panel:visible .signal")).to_have_text([signal])


def test_a_zoom_survives_a_reload_and_going_back(page: Any, app: str) -> None:
    page.goto(app)
    page.get_by_role("link", name="collapse", exact=True).click()
    page.wait_for_selector(FILLED)
    whole = shown_range(page)
    box = page.locator(".panel .nsewdrag").first.bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 42, steps=6)
    page.mouse.up()
    page.wait_for_url(re.compile("from=.*to="))
    link, span = page.url, shown_range(page)
    assert span[1] - span[0] < 180 / 2
    page.reload()
    page.wait_for_selector(FILLED)
    assert page.url == link and shown_range(page) == pytest.approx(span, abs=0.01)
    page.click("#signals-whole")
    page.wait_for_url(lambda url: "from=" not in url)
    expect(page.locator("#signals-whole")).to_be_hidden()
    page.go_back()  # into the zoom
    comes_to_show(page, span)
    assert page.url == link
    page.go_back()  # out of it
    comes_to_show(page, whole)
    page.go_back()
    expect(page.locator(".ag-center-cols-container .ag-row")).to_have_count(4)
    page.go_forward()
    page.wait_for_selector(FILLED)


def test_all_columns_of_the_table_fit_a_laptop(page: Any, app: str) -> None:
    page.set_viewport_size({"width": 1360, "height": 800})
    page.goto(app)
    last = page.locator(".ag-header-cell[col-id='last_time']")
    expect(last).to_be_in_viewport(ratio=1)


def test_a_trainer_that_logs_every_four_steps_is_shown_by_its_steps(
    page: Any, tmp_path: Path
) -> None:
    kept = DATA / "constant" / "later-constant-reverse-3"  # its alarms were not kept with it
    shutil.copytree(kept, tmp_path / "sparse")
    with served(tmp_path) as link:
        page.goto(link)
        expect(page.locator(".ag-row .steps")).to_have_text("960")
        expect(page.locator(".ag-row .badge", has_text="alarm")).to_be_visible(timeout=30_000)
        page.goto(f"{link}run/sparse")
        expect(page.locator(".facts")).to_contain_text("960 of 960, 240 records")
        expect(page.locator(".facts")).to_contain_text("s a record")
        page.goto("about:blank")


def test_a_run_without_steps_still_says_which_run_it_is(page: Any, tmp_path: Path) -> None:
    write_run(tmp_path / "nothing", [])
    with served(tmp_path) as link:
        for tab in ("signals", "report"):
            page.goto(f"{link}run/nothing?tab={tab}")
            expect(page.locator(".empty h2")).to_have_text("No step has been recorded")
            expect(page.locator(".run-title h1")).to_have_text("nothing")
            expect(page.locator(".view-tab")).to_have_count(len(TABS))
        page.goto("about:blank")


def test_the_first_row_is_asked_for_alone_and_plotly_is_loaded_once(page: Any, app: str) -> None:
    asked: list[list[str]] = []

    def note(request: Any) -> None:
        given = (request.post_data_json or {}).get("inputs", []) if request.post_data else []
        asked.extend(part["value"]["signals"] for part in given if part["id"] == "signals-wanted")

    page.on("request", note)
    page.goto(f"{app}/run/healthy")
    page.wait_for_selector(FILLED)
    expect(page.locator("[data-signal='kl/ref'] .trace")).to_have_count(1)
    assert len(asked[0]) == 3 and "kl/ref" in asked[1]
    expect(page.locator("script[src*='plotly.min.js']")).to_have_count(1)


def test_plotly_is_loaded_once_when_the_first_answer_overtakes_the_pages_own_start(
    page: Any, app: str
) -> None:
    page.route(  # its own load begins when the graph's is under way
        "**/plotly.min.js", lambda route: (page.wait_for_timeout(3000), route.continue_())
    )
    page.add_init_script(
        "const prompt = window.setTimeout;"
        "window.setTimeout = (then, ms) => prompt(then, then.name === 'readyPlotly' ? 1500 : ms);"
    )
    page.goto(f"{app}/run/healthy")
    page.wait_for_selector(FILLED)
    expect(page.locator("script[src*='plotly.min.js']")).to_have_count(1)


def test_the_detectors_charts_are_shown_on_demand_and_follow_the_workbench(
    page: Any, app: str
) -> None:
    page.goto(f"{app}/run/collapse")
    page.wait_for_selector(FILLED)
    expect(page.locator(".whole-run")).to_be_hidden()
    page.get_by_role("group", name="Detector's charts").get_by_role("button", name="On").click()
    expect(page.locator("#signals-judged")).to_contain_text("notice at 15; the run's e-value gives")
    expect(page.locator(".whole-run .scatterlayer .trace")).to_have_count(1)
    entropy = page.locator("[data-signal='policy/entropy']")
    expect(entropy.locator(".y3tick")).to_have_text(["1", "15"])
    page.wait_for_url("**charts=on**")
    page.goto(f"{app}/run/collapse?tab=workbench&watch-limit=2&alpha=0.01")
    page.get_by_role("link", name="The detector's charts").click()
    expect(page.locator("#signals-judged")).to_contain_text("notice at 30; the run's e-value gives")
    expect(page.locator("#signals-judged")).to_contain_text("the alarm at 100.")
    expect(entropy.locator(".y3tick")).to_have_text(["1", "30"])
    page.get_by_role("link", name="As shipped").click()
    expect(page.locator("#signals-judged")).to_contain_text("the alarm at 20.")
    page.wait_for_url(lambda url: "alpha" not in url)


def shown_range(page: Any) -> list[float]:
    return page.evaluate("document.querySelector('.panel .js-plotly-plot')?.layout?.xaxis.range")


def comes_to_show(page: Any, span: list[float]) -> None:
    """The panels of the page before may stand for a moment."""
    for _ in range(1200):
        if shown_range(page) == pytest.approx(span, abs=0.01):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"still {shown_range(page)}")


def test_two_runs_chosen_in_the_table_are_compared_at_their_alarm(page: Any, app: str) -> None:
    page.goto(app)
    for name in ("collapse", "household-cispo-0"):
        row = page.locator(f".ag-row[row-id='{name}']")
        row.locator("input[type=checkbox]").check()
    page.get_by_role("link", name="Compare 2 runs").click()
    page.wait_for_selector(FILLED)
    page.get_by_role("button", name="First alarm").click()
    page.wait_for_url("**align=alarm**")
    told = told_first(judge(COLLAPSE))
    assert told is not None
    expect(page.locator(".compare-runs li").first).to_contain_text(f"alarm at {told.step},")
    expect(page.locator(".panel .xtick").first).to_have_text(re.compile("\u2212\\d+"))


def test_the_report_of_a_real_run_is_downloaded(page: Any, app: str, tmp_path: Path) -> None:
    page.goto(f"{app}/run/collapse?tab=report")
    expect(page.locator("#report-text")).to_contain_text("How to see it again")
    with page.expect_download() as download:
        page.click("#report-html")
    download.value.save_as(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_serious_accessibility_fault(page: Any, app: str, name: str) -> None:
    audited(page, app + PAGES[name])


def test_an_empty_folder_has_none_either(page: Any, tmp_path: Path) -> None:
    with served(tmp_path) as link:
        audited(page, link)
        write_run(tmp_path / "first")  # and what waits for a run shows it by itself
        expect(page.locator(".ag-center-cols-container .ag-row")).to_have_count(1)
        page.goto("about:blank")


def audited(page: Any, address: str) -> None:
    """axe-core's rules on the page as loaded, light and dark."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.goto(address)
    page.wait_for_selector("#content > *")
    page.wait_for_load_state("networkidle")
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        found = axe.run(page).response["violations"]
        serious = [
            (theme, fault["id"], node["target"], node["failureSummary"])
            for fault in found
            if fault["impact"] in ("serious", "critical")
            for node in fault["nodes"]
        ]
        assert serious == []
