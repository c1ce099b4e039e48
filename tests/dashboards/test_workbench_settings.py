"""The workbench: settings in the address, the real panel run again, and what changes."""

from __future__ import annotations

import json
import math
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from app_examples import Deadly, alarm_at, collapsing, write_run

from collapse_lab.calibration.saved import load
from collapse_lab.dashboards import bench
from collapse_lab.dashboards.bench import Bench, replay
from collapse_lab.dashboards.settings import SHIPPED, Settings, changes, settings_of, stretches
from collapse_lab.records import Alarm


def test_an_empty_address_is_what_is_shipped() -> None:
    assert settings_of({}) == SHIPPED
    assert settings_of({"alpha": "0.05", "watch-limit": "1"}) == SHIPPED


@pytest.mark.parametrize("text", ["0", "1", "-1", "nan", "inf", "small"])
def test_what_cannot_be_an_alpha_or_a_limit_is_as_shipped(text: str) -> None:
    assert settings_of({"alpha": text}).alpha == 0.05
    assert settings_of({"watch-limit": "nan", "reward-limit": "-2"}) == SHIPPED
    assert settings_of({"reward-limit": "2"}) == SHIPPED  # which no score can reach


def test_the_address_holds_every_setting() -> None:
    view = {"alpha": "0.01", "reward-limit": "1.6", "mute": "kl/ref,<b>,policy/entropy,kl/ref",
            "expect": "150-100, 300"}  # fmt: skip
    assert settings_of(view) == Settings(
        0.01, (("reward-drop", 1.6),), ("kl/ref", "policy/entropy"), ((100, 150), (300, 300))
    )


def test_what_is_no_stretch_of_steps_is_told() -> None:
    assert stretches("1 to 2, 3\u20134 , five, -6,,7.5") == (
        ((1, 2), (3, 4)),
        ["five", "-6", "7.5"],
    )
    assert stretches("9" * 5000)[0] == ()


def test_the_saved_file_is_one_that_watch_takes(tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    file.write_text(Settings(0.01, (("cusum", 2.0),), ("kl/ref",)).calibration().to_json())
    limits = load(file).to_limits()
    assert limits.by_detector["e-detector"] == pytest.approx(math.log(100) / math.log(20))
    assert (limits.by_detector["cusum"], limits.muted) == (2.0, {"kl/ref"})
    assert json.loads(file.read_text())["alpha"] == 0.01


def moved(alarm: Alarm, by: int) -> Alarm:
    low, high = alarm.since_interval
    return replace(alarm, step=alarm.step + by, since_interval=(low + by, high + by))


def test_alarms_about_one_change_stand_in_one_row() -> None:
    first, second = alarm_at(10), alarm_at(50)
    after = [moved(first, 1), replace(second, severity="watch"), alarm_at(90)]
    rows = changes([first, second, alarm_at(70)], after)
    assert [(row.step, row.kind) for row in rows] == [
        (10, "moved"), (50, "tier"), (70, "gone"), (90, "new")
    ]  # fmt: skip
    assert [row.kind for row in changes([first], [first])] == ["same"]
    assert changes([], []) == []


def test_the_real_panel_judges_the_run_again_with_what_was_set(tmp_path: Path) -> None:
    write_run(tmp_path / "fallen", collapsing())
    found = Bench()
    (shipped,) = found.alarms(tmp_path / "fallen", 60, SHIPPED) or []
    assert (shipped.detector, shipped.severity) == ("reward-drop", "alarm")
    expected = Settings(expected=((35, 45),))
    (excused,) = found.alarms(tmp_path / "fallen", 60, expected) or []
    assert (excused.step, excused.severity) == (shipped.step, "watch")
    assert found.alarms(tmp_path / "fallen", 60, Settings(muted=("reward/mean",))) == []


def test_what_was_found_is_kept_by_the_run_its_length_and_the_settings(tmp_path: Path) -> None:
    write_run(tmp_path / "fallen", collapsing())
    found = Bench()
    first = found.alarms(tmp_path / "fallen", 60, SHIPPED)
    assert found.alarms(tmp_path / "fallen", 60, SHIPPED) is first
    assert found.alarms(tmp_path / "fallen", 61, SHIPPED) is not first


def test_a_long_run_is_judged_elsewhere_and_up_to_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path / "fallen", collapsing())
    monkeypatch.setattr(bench, "AT_ONCE_RECORDS", 10)
    found = Bench()
    answer = found.alarms(tmp_path / "fallen", 60, SHIPPED)
    while answer is None:
        found._kept[tmp_path / "fallen", 60, SHIPPED].result(timeout=120)
        answer = found.alarms(tmp_path / "fallen", 60, SHIPPED)
    assert [alarm.detector for alarm in answer] == ["reward-drop"]
    monkeypatch.setattr(bench, "MOST_RECORDS", 40)
    assert replay(tmp_path / "fallen", None) == []


def test_a_long_run_is_judged_again_after_the_process_that_did_so_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path / "fallen", collapsing())
    monkeypatch.setattr(bench, "AT_ONCE_RECORDS", 10)
    found = Bench()
    deadly = cast(Path, Deadly())
    assert found.alarms(deadly, 60, SHIPPED) is None
    with pytest.raises(BrokenProcessPool):
        found._kept[deadly, 60, SHIPPED].result(timeout=120)
    with pytest.raises(ChildProcessError, match="killed"):
        found.alarms(deadly, 60, SHIPPED)
    assert found.alarms(tmp_path / "fallen", 60, SHIPPED) is None
    alarms = found._kept[tmp_path / "fallen", 60, SHIPPED].result(timeout=120)
    assert [alarm.detector for alarm in alarms] == ["reward-drop"]
