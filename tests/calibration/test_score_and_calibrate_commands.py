"""`calibrate` on run folders, then `score`, `replay` and `watch` with what it wrote."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from made_runs import keep, made_run

from collapse_lab.cli import main
from collapse_lab.records import Record
from collapse_lab.store import RunReader

HEALTHY, ALPHA = 21, "0.1"


def collapse_lab(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Healthy runs of two algorithms, and two collapses."""
    root = tmp_path_factory.mktemp("corpus")
    for seed in range(HEALTHY):
        config = {"task": "sorting", "algorithm": ("grpo", "sapo")[seed % 2]}
        keep(root / f"run-{seed:02}", made_run(seed), config=config)
    for seed in (50, 51):
        config = {"task": "sorting", "algorithm": "sapo"}
        keep(root / f"lost-{seed}", made_run(seed, onset=35, lost=True), config=config)
    return root


@pytest.fixture(scope="module")
def calibration(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "calibration.json"
    assert collapse_lab("calibrate", corpus, "--alpha", ALPHA, "--out", out).exit_code == 0
    return out


def test_calibrate_says_what_may_be_claimed_and_names_what_it_left_out(
    corpus: Path, tmp_path: Path
) -> None:
    result = collapse_lab("calibrate", corpus, "--alpha", ALPHA, "--out", tmp_path / "c.json")
    assert "21 healthy runs of 2 groups, 60 records each; alpha 0.1" in result.stdout
    assert "at most 9.1 %" in result.stdout  # two ranks of 22
    assert "nothing below 33 % can be claimed" in result.stdout
    assert "left out: lost-50: labelled collapse" in result.stderr
    kept: dict[str, Any] = json.loads((tmp_path / "c.json").read_text())
    assert kept["limits"].keys() == {"e-detector", "reward-drop"}
    assert kept["runs"] == HEALTHY and kept["records"] == 60


def test_calibrate_refuses_when_the_runs_are_too_few_and_writes_nothing(
    corpus: Path, tmp_path: Path
) -> None:
    result = collapse_lab("calibrate", corpus, "--alpha", "0.05", "--out", tmp_path / "c.json")
    assert result.exit_code == 2
    assert "21 healthy runs are too few for alpha 0.05" in result.stderr
    assert "alpha 0.091 can be claimed, or 0.046 for one detector alone" in result.stderr
    assert not (tmp_path / "c.json").exists()


def test_one_detector_alone_can_be_calibrated_with_fewer(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "c.json"
    result = collapse_lab(
        "calibrate", corpus, "--alpha", "0.05", "--detector", "cusum", "--out", out
    )
    assert result.exit_code == 0
    assert json.loads(out.read_text())["limits"].keys() == {"cusum"}


def test_calibrate_says_when_nothing_can_reach_a_limit(tmp_path: Path) -> None:
    # every run leaves its course for good and keeps its reward
    for seed in range(9):
        keep(tmp_path / f"shifted-{seed}", made_run(seed, records=100, onset=60))
    options = ["--alpha", "0.2", "--out", tmp_path / "c.json"]
    told = collapse_lab("calibrate", tmp_path, *options).stdout
    assert "Nothing reaches the limit of e-detector" in told
    assert not any("e-detector" in a["detector"] for a in _replayed(tmp_path, tmp_path / "c.json"))


def test_calibrate_says_which_loss_the_limit_of_the_reward_asks_for(tmp_path: Path) -> None:
    for seed in range(9):
        keep(tmp_path / f"dips-{seed}", [*made_run(seed), *_dip(seed)])
    options = ["--alpha", "0.1", "--detector", "reward-drop", "--out", tmp_path / "c.json"]
    told = collapse_lab("calibrate", tmp_path, *options).stdout
    limit: float = json.loads((tmp_path / "c.json").read_text())["limits"]["reward-drop"]
    assert 1.1 < limit < 2
    assert f"reward-drop asks that {100 * (limit - 1):.0f} % of the gain be surely lost" in told
    assert "Nothing reaches" not in told


def _dip(seed: int) -> list[Record]:
    """Ten records without reward, and forty as before."""
    after = made_run(100 + seed, records=110)[60:]
    return [
        replace(record, values={**record.values, "reward/mean": 0.0})
        if record.step < 70
        else record
        for record in after
    ]


def _replayed(corpus: Path, calibration: Path) -> list[dict[str, Any]]:
    result = collapse_lab("replay", *corpus.iterdir(), "--json", "--calibration", calibration)
    return [alarm for line in result.stdout.splitlines() for alarm in json.loads(line)["alarms"]]


def test_score_prints_every_tier_shipped_and_calibrated(corpus: Path, calibration: Path) -> None:
    result = collapse_lab("score", corpus, "--jobs", 1, "--calibration", calibration)
    assert result.exit_code == 0
    assert "23 runs of 2 groups: 21 healthy, 2 collapse." in result.stdout
    for row in ("critical", "alarm or above", "alarm or above, calibrated", "never", "always"):
        assert f"| {row} |" in result.stdout
    assert "| alarms, or score of | NAB |" in result.stdout
    assert "21 of these runs have the names of runs that set the limits" in result.stdout


def test_score_as_json_has_groups_and_the_paired_difference(
    corpus: Path, calibration: Path
) -> None:
    result = collapse_lab(
        "score",
        corpus,
        "--jobs",
        1,
        "--json",
        "--group-by",
        "algorithm",
        "--calibration",
        calibration,
    )
    found: dict[str, Any] = json.loads(result.stdout)
    assert found["kinds"] == {"collapse": 2, "healthy": 21}
    assert found["detectors"]["always"]["healthy_alarmed"]["hits"] == HEALTHY
    assert found["by"]["grpo"]["alarm or above"]["early_recall"]["of"] == 0
    assert found["by"]["sapo"]["alarm or above"]["early_recall"]["of"] == 2
    compared = found["comparison"]["detectors"]
    assert compared["never"] == {"nab": 0, "range_recall": 0, "range_precision": None}
    assert set(compared) == set(found["detectors"])
    assert set(found["comparison"]["vus_pr"]) > {one["detector"] for one in found["ranking"]}
    # calibrated on these very runs: at most one rank each is left above the limits
    assert found["detectors"]["alarm or above, calibrated"]["healthy_alarmed"]["hits"] == 0
    assert set(found["calibrated_minus_shipped"]) == {
        "healthy_alarmed",
        "early_recall",
        "recall_10_later",
    }


def test_healthy_runs_stand_beside_every_kind_of_failure(corpus: Path) -> None:
    result = collapse_lab("score", corpus, "--jobs", 1, "--json", "--group-by", "failure")
    part = json.loads(result.stdout)["by"]
    assert list(part) == ["collapse"]
    assert part["collapse"]["alarm or above"]["healthy_alarmed"]["of"] == HEALTHY


def test_score_leaves_out_each_algorithm_in_turn(corpus: Path) -> None:
    options = ["--leave-out", "algorithm", "--alpha", "0.2"]
    text = collapse_lab("score", corpus, "--jobs", 1, *options).stdout
    assert "### Without each algorithm, alpha 0.2" in text
    found = json.loads(collapse_lab("score", corpus, "--jobs", 1, "--json", *options).stdout)
    # eleven of grpo, ten of sapo: each is judged by the other's
    behind = {name: one["runs_behind_limits"] for name, one in found["leave_out"]["by"].items()}
    assert behind == {"grpo": 10, "sapo": 11}
    together = found["leave_out"]["together"]["alarm or above, calibrated"]
    assert together["healthy_alarmed"]["of"] == HEALTHY and together["early_recall"]["of"] == 2
    assert {one["detector"] for one in found["ranking"]} >= {"e-detector", "record number"}
    assert [one["horizon"] for one in found["chances"]] == [10, 30, 100]
    assert {one["detector"] for one in found["chances"]} == {"hazard"}
    assert 0 < found["chances"][0]["stated"] < 1
    assert set(found["alarms_10_late_minus_now"]) >= {"early_recall", "recall_10_later"}


def test_score_judges_what_was_made_later_by_what_was_made_before(corpus: Path) -> None:
    options = ["--leave-out", "later", "--alpha", "0.2"]
    found = json.loads(collapse_lab("score", corpus, "--jobs", 1, "--json", *options).stdout)
    parts = found["leave_out"]["by"]
    assert list(parts) == ["part 2 of 4", "part 3 of 4", "part 4 of 4"]
    # of 23 runs the first five and eleven were made before; the collapses came last
    assert parts["part 2 of 4"]["runs_behind_limits"] is None
    assert parts["part 3 of 4"]["runs_behind_limits"] == 11
    assert parts["part 4 of 4"]["runs_behind_limits"] == 17
    assert parts["part 4 of 4"]["scores"]["early_recall"]["of"] == 2


def test_score_of_nothing_is_an_error(tmp_path: Path) -> None:
    result = collapse_lab("score", tmp_path, "--jobs", 1)
    assert result.exit_code == 2
    assert "no finished run" in result.stderr


def test_replay_and_watch_raise_calibrated_alarms(
    corpus: Path, calibration: Path, tmp_path: Path
) -> None:
    result = collapse_lab("replay", corpus / "lost-50", "--json", "--calibration", calibration)
    alarms = [a for a in json.loads(result.stdout)["alarms"] if a["severity"] == "alarm"]
    assert {alarm["detector"] for alarm in alarms} <= {
        "calibrated-e-detector",
        "calibrated-reward-drop",
    }
    assert alarms and "calibrated on 21 healthy runs" in alarms[0]["notes"][-1]
    printer = "import sys; print(open(sys.argv[1]).read())"
    program = "from collapse_lab.cli import main; main()"
    log = corpus / "lost-50" / "records.jsonl"
    watch = ["watch", "--calibration", calibration, "--root", tmp_path, "--name", "again"]
    done = subprocess.run(
        [sys.executable, "-c", program, *watch, "--", sys.executable, "-c", printer, log],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    watched = RunReader(tmp_path / "again").alarms()
    assert [(a.step, a.detector) for a in watched if a.severity == "alarm"] == [
        (alarm["step"], alarm["detector"]) for alarm in alarms
    ]


@pytest.mark.parametrize("command", ["watch", "replay", "score"])
def test_a_file_that_is_no_calibration_is_refused_at_the_start(
    command: str, corpus: Path, tmp_path: Path
) -> None:
    path = tmp_path / "c.json"
    path.write_text('{"alpha": 0.1}')
    rest = ["--", "true"] if command == "watch" else [corpus]
    result = collapse_lab(command, "--calibration", path, *rest)
    assert result.exit_code == 2
    assert "is no calibration" in result.stderr


def test_a_calibration_of_another_version_is_refused(calibration: Path, tmp_path: Path) -> None:
    old = json.loads(calibration.read_text()) | {"version": "0.0.1"}
    (tmp_path / "c.json").write_text(json.dumps(old))
    result = collapse_lab("replay", "--calibration", tmp_path / "c.json", tmp_path)
    assert result.exit_code == 2
    assert "calibrate again" in result.stderr


def test_one_group_has_no_interval_over_groups() -> None:
    data = Path(__file__).parents[2] / "data" / "demo"
    told = CliRunner().invoke(main, ["score", str(data)]).stdout
    assert "2 runs of 1 groups" in told
    assert re.search(r"\| cusum \| 10 \| 0\.\d\d \[-\] \| - \|", told)
    assert "nan" not in told.lower()
    printed = CliRunner().invoke(main, ["score", "--json", str(data)]).stdout
    found = json.loads(printed, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    scores = found["detectors"]["alarm or above"]
    assert scores["bootstrap"]["healthy_alarmed"] == [None, None]
    assert found["alarms_10_late_minus_now"]["early_recall"] == [None, None]
