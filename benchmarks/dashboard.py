"""What the app's server takes: 10,000 runs, a run of 10^6 steps x 30 signals, a live tick.

    python -m benchmarks.dashboard [--runs 10000] [--steps 1000000] [--peer-steps 100000]

`--peer-steps` has TensorBoard and trackio load a run of that length beside the app. Times are
seconds of one process, by the clock and of CPU (which other work on the machine does not change);
medians where the claim is about something that repeats.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.dashboard_peers import peers
from benchmarks.dashboard_runs import long_run, many_runs
from benchmarks.dashboard_times import peak, seconds
from collapse_lab.scoring.markdown import table_of

SHOWN = 9
"""Panels that a screen of 1440 x 900 asks for when a run is opened."""


def listing(root: Path) -> list[list[str]]:
    """The index: from nothing, from its cache, and what each view of the table costs."""
    from collapse_lab.dashboards.app import open_desk
    from collapse_lab.dashboards.query import Query, answer

    desk = open_desk(root, judge=False)
    first = seconds(desk.index.rows, 1)
    summaries = seconds(desk.index.refresh, 1)
    desk.index.save(least_seconds=0)
    count = len(desk.index.rows())
    kept = open_desk(root, judge=False)
    again = seconds(kept.index.rows, 1)
    rescan = seconds(kept.index.scan)

    def ask(**view: str) -> Callable[[], Any]:
        query = Query.of({"sort": "mechanism", **view})
        return lambda: answer(kept.index.rows(), query).block(0, 100, 0.0)

    return [
        [f"{count:,} runs listed, no cache", *first],
        ["their summaries made, in the background", *summaries],
        ["listed from the cache", *again],
        ["looked through for changes, in the background", *rescan],
        ["sorted", *seconds(ask())],
        ["filtered by words", *seconds(ask(q="grpo entropy"))],
        ["filtered by field and grouped", *seconds(ask(q="health:alarm", group="task"))],
    ]


def opening(root: Path, steps: int) -> list[list[str]]:
    """The long run: what the callbacks do, and their JSON."""
    from dash._utils import to_json

    from collapse_lab.dashboards.app import open_desk
    from collapse_lab.dashboards.drawing import sheet

    names = long_run(root / "long", steps)
    kind = f"{steps:,} x {len(names)}"

    def draw(desk: Any, signals: list[str], **view: str) -> int:
        return len(to_json(sheet(desk, "long", view, "light", signals).figures) or "")

    def cold(signals: list[str]) -> Callable[[], Any]:
        return lambda: draw(open_desk(root, judge=False), signals)

    desk = open_desk(root, judge=False)
    size = draw(desk, names)
    part = {"from": str(steps // 2), "to": str(steps // 2 + 5000)}
    return [
        [f"{kind}: opened, {SHOWN} panels on screen", *seconds(cold(names[:SHOWN]), 3)],
        [f"{kind}: opened, all {len(names)} panels", *seconds(cold(names), 3)],
        [f"zoom, {SHOWN} panels", *seconds(lambda: draw(desk, names[:SHOWN], **part))],
        [f"smoothed, {SHOWN} panels", *seconds(lambda: draw(desk, names[:SHOWN], smooth='0.9'))],
        ["sent for all panels, MB", f"{size / 1e6:.1f}", ""],
        ["columns held, MB", f"{desk.library.nbytes / 1e6:.0f}", ""],
    ]  # fmt: skip


def living(root: Path) -> list[list[str]]:
    """A tick of a live run with 10,000 records behind it and 20 new ones."""
    from dash._utils import to_json

    from collapse_lab.dashboards.app import open_desk
    from collapse_lab.dashboards.drawing import growth, sheet
    from collapse_lab.records import Record
    from collapse_lab.signals import SIGNALS
    from collapse_lab.store import RunWriter

    names = list(SIGNALS)[:30]
    random = np.random.default_rng(0)
    writer = RunWriter(root / "live", {"framework": "trl"})

    def write(first: int, count: int) -> None:
        for step in range(first, first + count):
            values = dict(zip(names, random.lognormal(size=len(names)).tolist(), strict=True))
            writer.append(Record(step, time.time(), values))

    write(0, 10_000)
    desk = open_desk(root, judge=False)
    desk.index.rows()
    view = {"smooth": "0.6"}
    cursor = sheet(desk, "live", view, "light", names[:SHOWN]).cursor
    state: dict[str, Any] = {"cursor": cursor, "tick": 0}

    def tick() -> None:
        grown = growth(desk, "live", view, "light", names[:SHOWN], state["cursor"])
        assert grown is not None and grown.cursor["rows"] == 10_000 + 20 * state["tick"]
        to_json(grown.figures)
        state["cursor"] = grown.cursor

    ticks: list[list[str]] = []
    for number in range(1, 21):
        write(10_000 + 20 * (number - 1), 20)
        state["tick"] = number
        ticks.append(seconds(tick, 1))
    writer.finish()
    median = [f"{statistics.median(float(one[k]) for one in ticks):.3f}" for k in (0, 1)]
    largest = [f"{max(float(one[k]) for one in ticks):.3f}" for k in (0, 1)]
    return [["live tick, 20 new records, median", *median], ["live tick, largest", *largest]]


def painting(root: Path, steps: int, repeats: int = 5) -> list[list[str]]:
    """The long run in a real browser that has nothing of the app yet: from the address to the first
    panel that is drawn, the best of several; CPU is the page's own process."""
    from playwright.sync_api import sync_playwright

    program = "from collapse_lab.cli import main; main()"
    command = [sys.executable, "-c", program, "dash", str(root), "--port", "0"]
    drawn = ".panel .scatterlayer .trace path.js-line"
    times: list[tuple[float, float]] = []
    with (
        subprocess.Popen([*command, "--no-browser"], stdout=subprocess.PIPE, text=True) as server,
        sync_playwright() as playwright,
    ):
        assert server.stdout is not None
        link = server.stdout.readline().split(" at ")[1].strip()
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for _ in range(repeats):
            context = chromium.new_context(viewport={"width": 1440, "height": 900})
            page = context.new_page()
            asked = context.new_cdp_session(page)
            asked.send("Performance.enable")
            began = time.perf_counter()
            page.goto(f"{link}run/long")
            page.wait_for_selector(drawn, state="attached")
            took = time.perf_counter() - began
            metrics = asked.send("Performance.getMetrics")["metrics"]
            spent = next(one["value"] for one in metrics if one["name"] == "ProcessTime")
            times.append((took, spent))
            context.close()
        chromium.close()
        server.send_signal(signal.SIGINT)
    best = [f"{min(column):.2f}" for column in zip(*times, strict=True)]
    return [[f"{steps:,} x 30 in Chromium: to the first drawn panel, best of {repeats}", *best]]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=10_000)
    options.add_argument("--steps", type=int, default=1_000_000)
    options.add_argument("--peer-steps", type=int, default=0)
    options.add_argument("--no-browser", action="store_true")
    asked = options.parse_args()
    lines: list[list[str]] = []
    with tempfile.TemporaryDirectory() as many, tempfile.TemporaryDirectory() as few:
        many_runs(Path(many), asked.runs)
        lines += listing(Path(many))
        lines += opening(Path(few), asked.steps)
        lines += living(Path(few))
        lines.append(["largest resident size of all this, MB", peak(), ""])
        if not asked.no_browser:
            lines += painting(Path(few), asked.steps)
        print(table_of(("what", "seconds", "of CPU"), lines), flush=True)
        if asked.peer_steps:
            heads = ("what", "seconds", "of CPU", "points a signal", "peak MB")
            print(f"\n{asked.peer_steps:,} steps x 30 signals\n")
            print(table_of(heads, peers(Path(few), asked.peer_steps)))


if __name__ == "__main__":
    main()
