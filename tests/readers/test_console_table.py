"""Boxes of keys and values on the console."""

from __future__ import annotations

import io
import math
from pathlib import Path

import pytest

from collapse_lab.readers.reader import LineReader, read

BOX = """\
Using cpu device
-----------------------------------
| rollout/             |          |
|    ep_rew_mean       | 21.5     |
| time/                |          |
|    fps               | 1100     |
|    total_timesteps   | {step}   |
| train/               |          |
|    approx_kl         | nan      |
-----------------------------------
"""


def test_a_box_is_one_step_under_joined_names(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(BOX.format(step=2048) + BOX.format(step=4096))
    records, log = read(tmp_path / "a.log")
    assert [record.step for record in records] == [2048, 4096]
    assert records[1].values["reward/mean"] == 21.5 and records[1].values["time/fps"] == 1100.0
    assert math.isnan(records[1].values["kl/old"])
    assert (log.format, log.framework) == ("console-table", "sb3")


def test_a_box_without_sections_is_read_too(tmp_path: Path) -> None:
    box = "-" * 30 + "\n| eprewmean | 5 |\n| misc/total_timesteps | 10 |\n| eplenmean | 2 |\n"
    (tmp_path / "a.log").write_text(box + "-" * 30 + "\n")
    (record,), log = read(tmp_path / "a.log")
    assert record.step == 10 and record.values == {"reward/mean": 5.0, "length/episode_mean": 2.0}
    assert log.framework == "openai-baselines"


def test_a_box_that_another_line_cuts_states_nothing() -> None:
    reader = LineReader()
    broken = BOX.format(step=1).replace("| train/ ", "warning: slow\n| train/ ")
    lines = (BOX.format(step=5) + broken + BOX.format(step=9)).splitlines()
    records = [record for line in lines for record in reader.feed(line)] + reader.close()
    assert [record.step for record in records] == [5, 9]


def test_what_stable_baselines_prints_is_what_it_was_given(tmp_path: Path) -> None:
    logger = pytest.importorskip("stable_baselines3.common.logger", reason="needs the package")
    printed = io.StringIO()
    writer = logger.HumanOutputFormat(printed)
    for step in (100, 200):
        values = {"rollout/ep_rew_mean": 0.25, "time/total_timesteps": step, "train/loss": math.inf}
        writer.write(values, dict.fromkeys(values, ()), step)
    (tmp_path / "a.log").write_text(printed.getvalue())
    records, _ = read(tmp_path / "a.log")
    assert [(record.step, dict(record.values)) for record in records] == [
        (step, {"reward/mean": 0.25, "loss/total": math.inf}) for step in (100, 200)
    ]
