"""The evidence, ratio and workbench tabs driven as a person does, in a real Chromium."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import pytest
from app_examples import ENTROPY, alarm_at, collapsing, served, write_run

from collapse_lab.mechanisms import MECHANISMS
from collapse_lab.records import CHECKPOINT, INTERVENTION, Record, Suspicion
from collapse_lab.signals import HISTOGRAMS
from collapse_lab.store import RunWriter

HOSTILE = "<img src=x onerror=alert(1)>"
HAPPENED = {20: {CHECKPOINT: "step-20"}, 25: {INTERVENTION: f"halved the rate {HOSTILE}"}}
BINS = len(HISTOGRAMS["ratio/log"].edges) + 1


@pytest.fixture(scope="module")
def address(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A run with everything that the tabs show, and one with a reward alone."""
    root = tmp_path_factory.mktemp("runs")
    clip = {"choices": {"clip": "HardClip(low=0.2, high=0.2, dual=None)"}}
    writer = RunWriter(root / "whole", {"config": clip})
    for step, reward in enumerate(collapsing()):
        counts = [0.0] * BINS
        counts[64], counts[70] = 90.0, float(step)
        values = {
            "reward/mean": reward,
            "ratio/khat": 0.3 + 0.01 * step,
            "ratio/ess_frac": 0.9,
            "policy/entropy": 0.5 + 0.01 * math.sin(step),
            "kl/ref_share_neg_low": 0.4,
        }
        notes = HAPPENED.get(step, {})
        writer.append(Record(step, 1000.0 + step, values, {"ratio/log": counts}, notes))
    first = replace(ENTROPY, signal="ratio/khat", family="ratio", since=35, direction="up")
    about = replace(alarm_at(42), evidence=(replace(ENTROPY, since=39), first),
                    since_interval=(35, 36), last_healthy_step=34,
                    suspicions=(Suspicion("tolerant_clip", (HOSTILE,)),))  # fmt: skip
    writer.alarm(about)
    for step, text in ((30, HOSTILE), (40, "word " * 1000), (50, "!!!!")):
        writer.sample(step, [{"reward": 1.0, "response": text}])
    writer.finish()
    write_run(root / "plain", collapsing())
    with served(root) as link:
        yield link.rstrip("/")


def test_the_lanes_stand_in_the_order_of_their_begin_and_lead_to_the_panel(
    page: Any, address: str
) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.goto(f"{address}/run/whole?tab=evidence")
    page.wait_for_selector(".lane .bar-lane")
    assert page.locator(".lane .signal").all_inner_texts() == ["ratio/khat", "policy/entropy"]
    assert page.locator(".lane .since").all_inner_texts() == ["since 35", "since 39"]
    told = page.locator(".mechanism")
    assert told.locator("h3").all_inner_texts() == ["Tolerant clip"]
    assert HOSTILE in told.locator("p").inner_text()
    remedies = [f"{one.text} {one.source}" for one in MECHANISMS["tolerant_clip"].remedies]
    assert told.locator("li").all_inner_texts() == remedies
    assert page.locator(".rollout-column h3").all_inner_texts() == [
        "Before the changestep 30", "Up to the alarmstep 40", "After the alarmstep 50"
    ]  # fmt: skip
    assert HOSTILE in page.inner_text(".rollout-column.before")
    assert page.locator(".rollouts img").count() == 0
    page.get_by_text("Show all, ").click()
    page.locator(".lane .signal", has_text="ratio/khat").click()
    page.wait_for_url("**tab=signals&q=ratio*")
    page.wait_for_selector(".panel:not([hidden]) .scatterlayer .trace")
    assert page.locator(".panel:not([hidden]) .signal").all_inner_texts() == ["ratio/khat"]


def test_what_happened_to_a_run_is_marked_after_its_seal_too(page: Any, address: str) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.goto(f"{address}/run/whole?q=reward")
    page.wait_for_selector(".panel .scatterlayer .trace .point", state="attached")
    plot = page.locator("[data-signal='reward/mean'] .js-plotly-plot")
    marks = plot.evaluate(
        "plot => plot.data.filter((trace) => trace.text).map((t) => [t.x, t.text])"
    )
    intervention = f"intervention: halved the rate {escape(HOSTILE, quote=False)}"
    assert marks == [[[20, 25], ["checkpoint: step-20", intervention]]]
    lines = plot.evaluate("plot => plot.layout.shapes.filter((s) => s.line.dash == 'dash')")
    assert [line["x0"] for line in lines] == [25]


def test_the_ratio_is_a_heat_map_with_its_clip_and_a_zoom_stays_in_the_address(
    page: Any, address: str
) -> None:
    page.goto(f"{address}/run/whole?tab=ratios")
    page.wait_for_selector(".panel.heat .heatmaplayer image")
    assert page.locator(".panel.heat .annotation-text").all_text_contents() == [
        "clip at ratio 0.8", "clip at ratio 1.2"
    ]  # fmt: skip
    page.wait_for_selector(".panel.share .barlayer .point")
    box = page.locator(".panel.heat .nsewdrag").first.bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 42, steps=6)
    page.mouse.up()
    page.wait_for_url(re.compile("from=.*to="))
    page.click("#ratios-whole")
    page.wait_for_url(lambda url: "from=" not in url)


def test_a_run_without_ratios_says_what_would_record_them(page: Any, address: str) -> None:
    page.goto(f"{address}/run/plain?tab=ratios")
    page.wait_for_selector("text=This run logs no importance ratios")
    assert "observe(run.append)" in page.inner_text(".empty")
    assert page.locator(".view-tab").count() >= 4


def test_settings_change_the_alarms_at_once_and_are_kept_in_the_address_and_a_file(
    page: Any, address: str, tmp_path: Path
) -> None:
    page.goto(f"{address}/run/plain?tab=workbench")
    page.wait_for_selector(".bench-table tbody tr")
    assert page.inner_text("#workbench-state").startswith("As shipped: 1 alarm.")
    page.fill(".workbench input[type=text]", "35-45")
    page.wait_for_selector("#workbench-state:has-text('with your settings 1 notice')")
    assert "a change was expected at steps 35 to 45" in page.inner_text(".bench-table")
    page.get_by_role("group", name="Watch tier, limit").get_by_role("button", name="half").click()
    page.wait_for_url(re.compile("watch-limit=0.5"))
    page.reload()
    page.wait_for_selector("#workbench-state:has-text('with your settings 1 notice')")
    with page.expect_download() as download:
        page.click("#workbench-save")
    download.value.save_as(tmp_path / "calibration.json")
    kept = json.loads((tmp_path / "calibration.json").read_text())
    assert (kept["expected"], kept["limits"]) == ([[35, 45]], {"cusum": 0.5})
