"""What a session tells of itself, without a process around it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from collapse_lab.alerts import Call, Notice, Target
from collapse_lab.detectors.panel import Panel
from collapse_lab.records import Record
from collapse_lab.store import RECORDS, RunReader
from collapse_lab.watch import session
from collapse_lab.watch.plan import Plan
from collapse_lab.watch.session import Session


@dataclass
class Heard:
    """Orders as the relay would get them."""

    said: list[str] = field(default_factory=list[str])

    def say(self, text: str) -> None:
        self.said.append(text)

    def signal(self, number: int) -> None:
        raise AssertionError("no signal was asked for")

    def stop(self, grace: float, patient: bool) -> None:
        raise AssertionError("no stop was asked for")


def run(folder: Path, records: list[Record], *targets: Target) -> list[str]:
    orders = Heard()
    watched = Session(
        Plan(folder, {}, lambda planned, config: Panel(planned, config=config), lambda: targets),
        orders,
    )
    watched.run(records)
    watched.finish("finished", 0)
    return orders.said


def test_a_training_of_which_nothing_was_recognised_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LEAST_TRAINING_SECONDS", 0.0)
    said = run(tmp_path / "run", [])
    assert len(said) == 1 and "no training metrics were recognised" in said[0]


def test_a_training_that_was_heard_or_a_short_command_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(tmp_path / "short", []) == []
    monkeypatch.setattr(session, "LEAST_TRAINING_SECONDS", 0.0)
    assert run(tmp_path / "heard", [Record(1, values={"reward/mean": 0.5})]) == []


def test_a_fall_that_is_made_up_for_is_told_of_twice(tmp_path: Path) -> None:
    learned = [min(0.8, 0.1 + 0.05 * step) for step in range(40)]
    rewards = [*learned, *[0.1] * 12, *[0.8] * 30]
    records = [
        Record(step, values={"reward/mean": reward + 0.01 * (step % 2)})
        for step, reward in enumerate(rewards)
    ]
    alarm, recovered = run(tmp_path / "run", records)
    assert "ALARM at step 42 (reward-drop)" in alarm
    # back is .8 of .805: three of the fall and seven of .805 are .595, two and eight are .665
    assert recovered.startswith("collapse-lab: recovered from the alarm at step 42: the reward has")
    assert recovered.endswith("; reward/mean is back at 0.665, over 10 records")


def training(first: int, breaks_at: int) -> list[Record]:
    """Records from one step on, whose gradients are no numbers any more at another."""
    norms = {step: 0.5 + step % 7 / 50 for step in range(first, breaks_at)} | {breaks_at: math.nan}
    return [Record(step, values={"optim/grad_norm": norm}) for step, norm in norms.items()]


def test_a_collapse_at_the_same_step_of_the_next_attempt_is_told_again(tmp_path: Path) -> None:
    first = run(tmp_path / "run", training(1, 30))
    again = run(tmp_path / "run", training(10, 30))
    assert [said.splitlines()[0] for said in (*first, *again)] == [
        "collapse-lab CRITICAL at step 30 (non-finite)"
    ] * 2
    assert [alarm.step for alarm in RunReader(tmp_path / "run").alarms()] == [30, 30]


def test_an_alarm_at_the_last_record_is_not_told_again_on_resuming(tmp_path: Path) -> None:
    told: list[Notice] = []
    mail = Target(Call(told.append))
    run(tmp_path / "run", training(1, 30), mail)
    assert run(tmp_path / "run", [Record(31, values={"optim/grad_norm": 0.5})], mail) == []
    assert [(one.alarm.step, one.status) for one in told] == [(30, "firing"), (30, "ended")]
    assert len(RunReader(tmp_path / "run").alarms()) == 1


def test_a_run_of_which_only_the_parquet_was_kept_is_judged_from_its_first_record_on(
    tmp_path: Path,
) -> None:
    before = [Record(step, values={"reward/mean": 0.5}) for step in range(3)]
    run(tmp_path / "run", before)
    (tmp_path / "run" / RECORDS).unlink()
    continued = Session(Plan(tmp_path / "run", {}, lambda planned, config: Panel()), Heard())
    assert [record.step for record in continued.past] == [0, 1, 2]
    continued.finish("finished", 0)
