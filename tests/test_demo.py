"""The demo plays a real record, the one that was described, through the real parts."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner

from collapse_lab import demo
from collapse_lab.cli import main
from collapse_lab.figure import draw
from collapse_lab.labels import label_run
from collapse_lab.records import Alarm, Evidence, Record
from collapse_lab.signals import known
from collapse_lab.store import RunReader

DATA = Path(__file__).parents[1] / "data"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(("name", "kind"), [("collapse", "collapse"), ("healthy", "healthy")])
def test_a_recorded_run_is_labelled_as_its_name_says(name: str, kind: str) -> None:
    records = RunReader(DATA / "demo" / name).new()
    assert [record.step for record in records] == list(range(1, len(records) + 1))
    assert label_run(records).kind == kind


def test_the_recorded_runs_log_signals_of_the_vocabulary_and_begin_alike() -> None:
    collapse, healthy = (RunReader(DATA / "demo" / name).new() for name in ("collapse", "healthy"))
    assert {name for name in collapse[0].values if not known(name)} == {"entropy_coef"}
    assert collapse[0].values == healthy[0].values


def test_the_readme_states_the_checksum_of_each_recorded_file() -> None:
    stated = dict(re.findall(r"`(demo/\S+)` \| `([0-9a-f]{64})`", (DATA / "README.md").read_text()))
    found = {
        path.relative_to(DATA).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (DATA / "demo").rglob("*.json*")
    }
    assert stated == found


def test_the_short_demo_tells_the_alarm_and_draws_it_at_once(tmp_path: Path) -> None:
    told: list[str] = []
    begun = time.perf_counter()
    demo.run(True, tmp_path / "collapse.svg", told.append)
    assert time.perf_counter() - begun < demo.PLAYING_SECONDS
    text = "\n".join(told)
    fall = label_run(RunReader(DATA / "demo" / "collapse").new())
    assert f"lost half of its gain at step {fall.cross}" in text
    assert re.search(r"alarm at step \d+, \d+ steps? (before|after) that: ", text)
    assert "the bonus capped: 180 steps, no alarm" in text
    assert "step  10" not in text
    assert ET.parse(tmp_path / "collapse.svg").getroot().tag == f"{SVG}svg"


def test_the_demo_tells_of_the_alarms_that_the_replay_that_it_names_tells_of(
    tmp_path: Path,
) -> None:
    run = CliRunner().invoke(main, ["demo", "--short", "--out", str(tmp_path / "x.svg")])
    (folder,) = re.findall(r"look +collapse-lab replay (\S+)", run.stdout)
    replayed = json.loads(CliRunner().invoke(main, ["replay", "--json", folder]).stdout)
    played = run.stdout.partition("Looking back")[0].lower()
    told = re.findall(r"^(?:collapse-lab )?(watch|alarm|critical) at step (\d+)", played, re.M)
    assert told == [(one["severity"], str(one["step"])) for one in replayed["alarms"]]


def test_the_picture_is_a_page_with_the_words_of_the_alarm(tmp_path: Path) -> None:
    page = tmp_path / "demo.html"
    result = CliRunner().invoke(main, ["demo", "--short", "--out", str(page)])
    assert result.exit_code == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "collapse-lab ALARM at step" in text and "</svg>" in text


def test_a_picture_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["demo", "--short", "--out", str(tmp_path / "no" / "x.svg")])
    assert result.exit_code == 2
    assert "Invalid value for --out: " in result.stderr


def test_a_reader_that_has_seen_enough_ends_the_demo_without_a_word(tmp_path: Path) -> None:
    program = "from collapse_lab.cli import main; main()"
    demo_process = subprocess.Popen(
        [sys.executable, "-c", program, "demo", "--short", "--out", str(tmp_path / "x.svg")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert demo_process.stdout and demo_process.stderr
    demo_process.stdout.close()
    assert demo_process.stderr.read() == ""
    assert demo_process.wait() == 1


def _alarm(evidence: Evidence) -> Alarm:
    return Alarm(4, "alarm", "test", "", 3, (2, 3), (evidence,), last_healthy_step=1)


def _evidence(low: float, high: float) -> Evidence:
    return Evidence("optim/grad_norm", "optimiser", 3, 9.0, 1.0, low, high, "up", 1.0, 2, 2)


def test_the_figure_marks_non_finite_steps_and_lifts_the_pen_over_missing_ones() -> None:
    values = [1.0, float("nan"), 2.0, None, 4.0, float("inf")]
    records = [
        Record(step, values={} if value is None else {"optim/grad_norm": value})
        for step, value in enumerate(values)
    ]
    svg = draw(records, _alarm(_evidence(0.5, 2.0)), "a <b>")
    tree = ET.fromstring(svg)
    marks = [
        text[0].text for text in tree.iter(f"{SVG}text") if len(text) and text.text == "\u00d7"
    ]
    assert marks == ["step 1: nan", "step 5: inf"]
    (path,) = tree.iter(f"{SVG}path")
    assert [part[0] for part in re.findall(r"[ML][^ML]+", path.attrib["d"])] == ["M", "M", "M"]


def test_the_figure_puts_equal_ratios_at_equal_distances_on_a_log_scale() -> None:
    records = [
        Record(step, values={"optim/grad_norm": value})
        for step, value in enumerate([1.0, 10.0, 100.0])
    ]
    svg = draw(records, _alarm(_evidence(1.0, 100.0)), "")
    (path,) = ET.fromstring(svg).iter(f"{SVG}path")
    first, second, third = (float(y) for y in re.findall(r"[ML]\S+ (\S+)", path.attrib["d"]))
    assert first - second == pytest.approx(second - third, abs=0.11)
    assert first > second > third


def test_a_band_without_bounds_and_a_single_step_still_draw() -> None:
    records = [Record(4, values={"optim/grad_norm": float("nan")})]
    draw(records, _alarm(_evidence(float("-inf"), float("inf"))), "")
