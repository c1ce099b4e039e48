"""`replay` and `label`: their JSON, their exit codes and what a person reads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from command_line import collapse_lab, objects

from collapse_lab.records import Alarm, Record
from collapse_lab.store import RUN, RunWriter


def verl(broken_from: int | None, steps: int = 40) -> str:
    def norm(step: int) -> object:
        broken = broken_from is not None and step >= broken_from
        return float("nan") if broken else 0.5 + step % 7 / 50

    return "".join(
        f"step:{step} - actor/grad_norm:{norm(step)} - critic/score/mean:{0.3 + step / 100:.3f} - "
        f"mine/own:{step}\n"
        for step in range(1, steps + 1)
    )


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.log"
    path.write_text(verl(20))
    return path


@pytest.fixture
def fine(tmp_path: Path) -> Path:
    path = tmp_path / "fine.log"
    path.write_text(verl(None))
    return path


def test_replay_prints_one_object_a_log_with_the_promised_keys(broken: Path, fine: Path) -> None:
    result = collapse_lab("replay", "--json", broken, fine)
    assert result.exit_code == 0
    first, second = objects(result)
    assert {name: first[name] for name in ("path", "format", "framework", "steps", "signals")} == {
        "path": str(broken),
        "format": "verl-console",
        "framework": "verl",
        "steps": 40,
        "signals": ["optim/grad_norm", "reward/mean"],
    }
    assert first["unmapped"] == ["mine/own"]
    assert second["alarms"] == []
    (alarm,) = first["alarms"]  # type: ignore[misc]
    keys = {"step", "severity", "detector", "since", "signals", "message"}
    assert {name: alarm[name] for name in keys - {"message"}} == {
        "step": 20,
        "severity": "critical",
        "detector": "non-finite",
        "since": 20,
        "signals": ["optim/grad_norm"],
    }
    assert Alarm.from_dict(alarm).last_healthy_step == 19


def test_a_step_that_was_trained_twice_counts_once(tmp_path: Path) -> None:
    path = tmp_path / "resumed.log"
    path.write_text(verl(None, 30) + verl(None, 35))
    assert objects(collapse_lab("replay", "--json", path))[0]["steps"] == 35


@pytest.mark.parametrize(
    ("fail_on", "code"), [(None, 0), ("watch", 3), ("alarm", 3), ("critical", 3)]
)
def test_fail_on_turns_an_alarm_into_exit_code_3(
    broken: Path, fine: Path, fail_on: str | None, code: int
) -> None:
    option = [] if fail_on is None else ["--fail-on", fail_on]
    assert collapse_lab("replay", broken, fine, *option).exit_code == code
    assert collapse_lab("replay", fine, *option).exit_code == 0


def test_a_mere_watch_does_not_fail_on_alarm(tmp_path: Path) -> None:
    path = tmp_path / "stuck.log"
    path.write_text("".join(f"step:{s} - actor/grad_norm:0.5\n" for s in range(1, 40)))
    assert collapse_lab("replay", path, "--fail-on", "alarm").exit_code == 0
    assert collapse_lab("replay", path, "--fail-on", "watch").exit_code == 3


@pytest.mark.parametrize("command", ["replay", "label"])
def test_what_cannot_be_read_is_told_and_the_rest_is_still_done(
    tmp_path: Path, fine: Path, command: str
) -> None:
    (tmp_path / "notes.txt").write_text("dear diary\n")
    missing = tmp_path / "missing.log"
    result = collapse_lab(command, "--json", tmp_path / "notes.txt", missing, fine)
    assert result.exit_code == 2
    assert [found["path"] for found in objects(result)] == [str(fine)]
    assert "notes.txt fits no known format" in result.stderr
    assert "'dear diary'" in result.stderr
    assert f"{missing} does not exist" in result.stderr


def test_a_folder_an_empty_file_and_a_pipe_are_told_from_a_log_that_is_not_known(
    tmp_path: Path,
) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "train.log").touch()
    os.mkfifo(tmp_path / "pipe")
    told = collapse_lab(
        "replay", tmp_path / "logs", tmp_path / "logs" / "train.log", tmp_path / "pipe"
    ).stderr
    assert "It is a folder (train.log): give the logs in it one by one." in told
    assert f"{tmp_path}/logs/train.log is empty\n" in told
    assert f"{tmp_path}/pipe is no file: save what comes out of it to a file first\n" in told


@pytest.mark.parametrize("command", [("replay", "--fail-on", "alarm"), ("label",), ("report",)])
def test_a_log_without_any_record_cannot_be_judged(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "header.csv").write_text("step,reward,loss\n")
    RunWriter(tmp_path / "run").finish()
    for path in (tmp_path / "header.csv", tmp_path / "run"):
        result = collapse_lab(*command, path)
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"{path} holds no records yet: there is nothing to judge\n" in result.stderr


def test_without_a_path_the_usage_is_told() -> None:
    assert collapse_lab("replay").exit_code == 2


def test_a_person_reads_the_verdict_and_the_first_serious_alarm_in_full(
    broken: Path, fine: Path
) -> None:
    text = collapse_lab("replay", broken, fine).stdout
    assert f"{broken}: verl-console, 40 steps (1-40), 2 known signals\n" in text
    assert "  critical  step 20     non-finite: " in text
    assert "    healthy   up to step 19: " in text
    assert text.endswith(f"{fine}: verl-console, 40 steps (1-40), 2 known signals\n  no alarm\n")


def test_what_one_detector_repeats_is_shown_a_few_times(tmp_path: Path) -> None:
    losses = ["nan" if step % 3 == 0 else "0.5" for step in range(30)]
    log = tmp_path / "a.csv"
    log.write_text("step,loss\n" + "".join(f"{step},{x}\n" for step, x in enumerate(losses)))
    assert len(objects(collapse_lab("replay", "--json", log))[0]["alarms"]) == 10
    lines = collapse_lab("replay", log).stdout.splitlines()
    assert [line[:22] for line in lines[1:5]] == [
        "  critical  step 0    ",
        "  critical  step 3    ",
        "  critical  step 6    ",
        "  critical  non-finite",
    ]
    assert lines[4].endswith("non-finite and 7 more (--json has all)")


def test_a_log_of_which_nothing_is_known_is_not_called_quiet(tmp_path: Path) -> None:
    log = tmp_path / "a.csv"
    names = [f"mine_{letter}" for letter in "abcdefghijkl"]
    rows = [",".join([str(step), *["0.5"] * 12]) for step in range(40)]
    log.write_text("\n".join([",".join(["step", *names]), *rows, ""]))
    result = collapse_lab("replay", log)
    told = f"no signal is known under these names: {', '.join(names[:10])} and 2 more"
    assert result.exit_code == 0 and "no alarm" not in result.stdout
    assert result.stdout.endswith(f"  nothing was judged: {told}\n")
    gate = collapse_lab("replay", "--json", "--fail-on", "critical", log)
    assert (gate.exit_code, objects(gate)[0]["unmapped"]) == (2, names)
    assert gate.stderr == f"collapse-lab: {log}: nothing was judged: {told}\n"


def test_label_says_class_onset_and_crossing(broken: Path, fine: Path) -> None:
    first, second = objects(collapse_lab("label", "--json", broken, fine))
    assert first == {"path": str(broken), "class": "hard_fail", "onset": 20, "cross": 20}
    assert (second["onset"], second["cross"]) == (None, None)
    text = collapse_lab("label", broken).stdout
    assert text.split() == ["hard_fail", "onset", "20,", "crossed", "20", str(broken)]


def test_a_fall_that_was_made_up_for_says_when_it_was_over(tmp_path: Path) -> None:
    learned = [min(0.8, 0.1 + 0.05 * step) for step in range(40)]
    rewards = [*learned, *[0.1] * 12, *[0.8] * 30]
    lines = [
        f"step:{step} - critic/score/mean:{reward + 0.01 * (step % 2):.3f}\n"
        for step, reward in enumerate(rewards)
    ]
    (tmp_path / "dip.log").write_text("".join(lines))
    (alarm,) = objects(collapse_lab("replay", "--json", tmp_path / "dip.log"))[0]["alarms"]
    # of the ten records up to step 59 eight are back, which is four fifths of the gain
    assert (alarm["step"], alarm["over_at"]) == (42, 59)
    told = collapse_lab("replay", tmp_path / "dip.log").stdout.splitlines()
    assert "over at step 59: reward/mean is back at 0.665, over 10 records" in told[2]
    (tmp_path / "fallen.log").write_text("".join(lines[:50]))
    (alarm,) = objects(collapse_lab("replay", "--json", tmp_path / "fallen.log"))[0]["alarms"]
    assert alarm["over_at"] is None


def test_a_run_whose_file_is_torn_is_reported_and_the_others_are_read(
    tmp_path: Path, fine: Path
) -> None:
    RunWriter(tmp_path / "run").append(Record(1, values={"reward/mean": 0.5}))
    (tmp_path / "run" / RUN).write_text("")
    result = collapse_lab("replay", "--json", tmp_path / "run", fine)
    assert result.exit_code == 2 and "run.json holds no JSON" in result.stderr
    assert [one["path"] for one in objects(result)] == [str(fine)]
