"""A run that went back: what counts is its last attempt, and earlier ones are seen beside it."""

from __future__ import annotations

import base64
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from app_examples import alarm_at
from dash import Patch

from collapse_lab.dashboards import run_page
from collapse_lab.dashboards.app import open_desk
from collapse_lab.dashboards.comparing import panels
from collapse_lab.dashboards.drawing import Cursor, growth, sheet
from collapse_lab.dashboards.settings import settings_of
from collapse_lab.dashboards.strips import STRIP
from collapse_lab.records import RESTART, Record
from collapse_lab.store import RECORDS, RunWriter

REWARD = "reward/mean"
RISING = [round(0.30 + 0.23 * step / 60, 4) for step in range(61)]
FALLING = [round(0.30 - 0.009 * step, 4) for step in range(31)]


@pytest.fixture(params=["open", "sealed"])
def root(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """`run`: its reward rose to .53 in steps 0 to 60 and fell from step 0 to 30 at the second
    attempt, in which there was an alarm."""
    writer = RunWriter(tmp_path / "run", {"judged": True})
    for step, reward in enumerate(RISING):
        writer.append(Record(step, 1000.0 + step, {REWARD: reward}))
    for step, reward in enumerate(FALLING):
        notes = {RESTART: "step went back from 60 to 0"} if step == 0 else {}
        writer.append(Record(step, 2000.0 + step, {REWARD: reward}, notes=notes))
    writer.alarm(alarm_at(20))
    if request.param == "sealed":
        writer.finish()
    return tmp_path


def drawn(trace: dict[str, Any]) -> list[tuple[float, float]]:
    """The points of a trace, whichever way they are written."""
    x, y = (_numbers(trace[side]) for side in "xy")
    return [point for point in zip(x, y, strict=True) if point[1] is not None]


def _numbers(values: Any) -> list[float]:
    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["bdata"])).tolist()
    return list(values)


def test_the_table_tells_of_the_last_attempt_alone(root: Path) -> None:
    row = open_desk(root, judge=False).index.summary("run")
    assert (row.steps, row.reached, row.last_step) == (31, 31, 30)
    assert row.spark[0] == 0.30 and row.spark[-1] == 0.03 and len(row.spark) == 31


def test_a_panel_draws_the_last_attempt_and_apart_the_one_that_it_overwrote(root: Path) -> None:
    found = sheet(open_desk(root, judge=False), "run", {}, "light", [REWARD])
    line, *_, earlier = found.figures[REWARD]["data"]
    assert drawn(line) == list(enumerate(FALLING))
    assert drawn(earlier) == list(enumerate(RISING))
    assert found.latest[REWARD] == "0.03"


def test_of_the_parquet_alone_a_panel_draws_what_an_earlier_attempt_had_beyond(
    tmp_path: Path,
) -> None:
    writer = RunWriter(tmp_path / "run")
    for step in (*range(10), *range(4, 7)):
        writer.append(Record(step, float(step), {REWARD: 0.1 * step}))
    writer.finish()
    (tmp_path / "run" / RECORDS).unlink()
    figure = sheet(open_desk(tmp_path, judge=False), "run", {}, "light", [REWARD]).figures[REWARD]
    line, *_, earlier = (drawn(trace) for trace in figure["data"])
    assert [x for x, _ in line] == list(range(7))
    assert [x for x, _ in earlier] == [7, 8, 9]


def test_each_earlier_attempt_is_a_line_of_its_own_with_what_it_lost(tmp_path: Path) -> None:
    """Steps 0 to 9, again from 4 to 7 and again from 6 to 9; step 5 was NaN at first."""
    writer = RunWriter(tmp_path / "run")
    for attempt, steps in enumerate((range(10), range(4, 8), range(6, 10))):
        for step in steps:
            lost = (attempt, step) == (0, 5)
            writer.append(Record(step, float(step), {REWARD: math.nan if lost else attempt + step}))
    writer.alarm(alarm_at(8))
    desk = open_desk(tmp_path, judge=False)
    figure = sheet(desk, "run", {"x": "event"}, "light", [REWARD]).figures[REWARD]
    earlier, lost = figure["data"][STRIP:]
    xs, ys = (_numbers(earlier[side]) for side in "xy")
    assert [(x + 8, y) for x, y in zip(xs, ys, strict=True) if math.isfinite(y)] == [
        (4, 4), (6, 6), (7, 7), (8, 8), (9, 9), (6, 7), (7, 8)
    ]  # fmt: skip
    assert math.isnan(ys[-3])  # the pen lifts between attempts
    assert lost["name"] == "NaN" and _numbers(lost["x"]) == [5 - 8]


def test_a_chart_under_a_growing_panel_keeps_its_place_beside_an_earlier_attempt(
    tmp_path: Path,
) -> None:
    writer = RunWriter(tmp_path / "run")

    def logged(*steps: int) -> None:
        for step in steps:
            values = {REWARD: 0.5, "policy/entropy": 0.5 + 0.01 * (step % 3)}
            writer.append(Record(step, float(step), values))

    logged(*range(60), *range(40, 70))
    desk, view, names = open_desk(tmp_path, judge=False), {"charts": "1"}, ["policy/entropy"]
    desk.charts("run", settings_of(view)).refresh(60)
    shown = sheet(desk, "run", view, "light", names)
    traces = shown.figures[names[0]]["data"]
    assert "CUSUM" in traces[STRIP]["hovertemplate"]
    assert "earlier attempt" in traces[-1]["hovertemplate"]
    logged(70, 71)
    grown = growth(desk, "run", view, "light", names, shown.cursor)
    assert grown is not None and isinstance(grown.figures[names[0]], Patch)


def test_an_alarm_that_the_run_went_back_behind_is_dotted(root: Path) -> None:
    desk = open_desk(root, judge=False)
    shapes = sheet(desk, "run", {}, "light", [REWARD]).figures[REWARD]["layout"]["shapes"]
    (line,) = (shape for shape in shapes if shape["x0"] == shape["x1"] == 20)
    assert line["line"]["dash"] == "2px,3px"  # it names no restart


def test_what_an_earlier_attempt_had_may_forbid_the_logarithm(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run")
    for step, kl in [(0, 0.01), (1, 0.02), (2, 0.0), (1, 0.03)]:
        writer.append(Record(step, float(step), {"kl/old": kl}))
    writer.finish()
    figure = sheet(open_desk(tmp_path, judge=False), "run", {}, "light", ["kl/old"]).figures[
        "kl/old"
    ]
    low, high = figure["layout"]["yaxis"]["range"]
    assert low < 0.0 and high > 0.03


def test_a_live_panel_is_drawn_anew_until_the_earlier_attempt_is_passed(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run")
    for step in (0, 1, 2, 1):
        writer.append(Record(step, float(step), {REWARD: 0.25 * step}))
    desk = open_desk(tmp_path, judge=False)
    cursor: Cursor = sheet(desk, "run", {}, "light", [REWARD]).cursor
    for step in (2, 3):
        writer.append(Record(step, float(step), {REWARD: 0.5 * step}))
    grown = growth(desk, "run", {}, "light", [REWARD], cursor)
    assert grown is not None
    assert drawn(grown.figures[REWARD]["data"][0]) == [(0, 0), (1, 0.25), (2, 1), (3, 1.5)]
    assert grown.latest[REWARD] == "1.5"


def test_runs_are_compared_by_their_last_attempts(root: Path) -> None:
    view = {"runs": "run"}
    figure = panels(open_desk(root, judge=False), view, "light", [REWARD])[REWARD]
    assert [(0, FALLING[0]), (30, FALLING[30])] == [
        points[end] for trace in figure["data"] if (points := drawn(trace))[1:] for end in (0, -1)
    ]


@pytest.mark.parametrize(
    ("step", "restart", "before"),
    [
        (20, None, True),  # of the first attempt
        (20, 10, False),
        (8, None, False),  # before the step that the run went back to
    ],
)
def test_the_page_says_when_its_panels_show_another_attempt_than_the_alarms(
    tmp_path: Path, step: int, restart: int | None, before: bool
) -> None:
    writer = RunWriter(tmp_path / "run", {"judged": True})
    for at, again in [*((at, False) for at in range(30)), *((at, True) for at in range(10, 40))]:
        told = {RESTART: "step went back"} if again and at == 10 else {}
        writer.append(Record(at, float(at), {REWARD: 0.5}, notes=told))
    writer.alarm(replace(alarm_at(step), restart=restart))
    writer.finish()
    desk = open_desk(tmp_path, judge=False)
    page = str(run_page.layout(desk, {"path": "run"}))
    assert ("Raised before the run went back to step 10" in page) == before
    assert (desk.index.summary("run").alarm_share is None) == before  # nor marked on its reward
