"""What a configuration changes in the names of a log's alarms, on logs written here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.configured_logs import main

CISPO = {
    "num_generations": 8, "num_iterations": 1, "max_completion_length": 64,
    "loss_type": "cispo", "epsilon": 0.2, "epsilon_high": 5.0,
}  # fmt: skip


def write(path: Path, config: object) -> None:
    """A rate that grows over a run, which learns, and loses it all from step 60 on."""
    lines = [json.dumps({"config": config})]
    for step in range(80):
        wobble = 0.01 * (step % 3 - 1)
        reward = min(0.8, 0.1 + 0.02 * step) if step < 60 else max(0.0, 0.8 - 0.1 * (step - 59))
        values = {"reward": reward + wobble, "entropy": 0.4 + wobble, "lr": 1e-6 * (step + 1)}
        lines.append(json.dumps({"step": step, **values}))
    path.write_text("\n".join(lines) + "\n")


def test_only_a_known_configuration_changes_names_and_every_one_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "a.jsonl", CISPO)
    write(tmp_path / "b.jsonl", {"lr": 1e-6})
    write(tmp_path / "c.jsonl", None)
    main([str(tmp_path)])
    said = capsys.readouterr().out
    assert said.startswith(
        "2 of 3 runs have a configuration, 1 that of a framework that is known; 1 of these raise "
        "an alarm. Of their first alarms those of 0 runs name something that the configuration "
        "rules out, and those of 1 are named otherwise with it."
    )
    (alarm,) = [line for line in said.splitlines() if "| alarm |" in line]
    before, after = [cell.strip() for cell in alarm.split("|")][5:7]
    assert "tolerant_clip" not in before and after.startswith("tolerant_clip")
