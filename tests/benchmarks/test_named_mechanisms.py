"""The confusion of mechanisms: counted over runs whose answer is known."""

from __future__ import annotations

from pathlib import Path

from benchmarks.named_mechanisms import (
    Caught,
    answers,
    caught_in,
    comparison,
    confusion,
    named,
    report,
    said_by,
    supposing,
)
from collapse_lab.records import Alarm, Record, Severity, Suspicion
from collapse_lab.store import RunWriter


def alarm(step: int, severity: Severity, *mechanisms: str) -> Alarm:
    suspicions = tuple(map(Suspicion, mechanisms))
    return Alarm(step, severity, "cusum", "", step, (step, step), suspicions=suspicions)


def caught(truth: str, *first: str) -> Caught:
    return Caught("run", "grpo", truth, {"alarm": first}, {"alarm": first})


def test_the_first_alarm_of_each_tier_is_asked():
    alarms = [
        alarm(1, "watch", "format"),
        alarm(2, "critical", "numerical", "format"),
        alarm(3, "alarm", "length"),
    ]
    assert named(alarms) == {"alarm": ("numerical", "format"), "watch": ("format",)}
    assert named(alarms[:1]) == {"watch": ("format",)}


def test_rows_are_what_went_wrong_and_columns_what_was_named_first():
    runs = [
        caught("length", "length"),
        caught("length", "format", "length"),
        caught("length"),
        caught("format", "format", "length"),
        Caught("missed", "grpo", "format", {}),
    ]
    lines = confusion(answers(runs, "alarm", "the alarm")).splitlines()
    assert (
        lines[0] == "| failed by | format | length | unclear | named first | among the first two |"
    )
    assert lines[2].startswith("| format | 1 |  |  | 1/1, 100 %")
    assert lines[3].startswith("| length | 1 | 1 | 1 | 1/3, 33 %")
    assert "| 2/3, 67 %" in lines[3]
    assert lines[4].startswith("| all | 2 | 1 | 1 | 2/4, 50 %")
    assert "4 of 5 were caught." in report(runs)


def test_an_alarm_is_asked_with_the_configuration_and_the_configuration_without_it():
    clip, rate = ("tolerant_clip",), ("learning_rate",)
    runs = [
        Caught("a", "cispo", "tolerant_clip", {"alarm": rate}, {"alarm": clip}, clip + rate),
        Caught("b", "cispo", "learning_rate", {"alarm": rate}, {"alarm": rate}, clip + rate),
        Caught("missed", "grpo", "format", {}, {}, rate),
    ]
    lines = comparison(runs, "alarm").splitlines()[2:]
    assert [line.split(" | ")[1][:3] for line in lines] == ["1/2", "2/2", "1/2"]
    assert [line.split(" | ")[2][:3] for line in lines] == ["1/2", "2/2", "2/2"]


def test_a_configuration_alone_says_what_it_makes_possible_or_else_the_rate():
    arguments = {"num_generations": 8, "num_iterations": 2, "max_completion_length": 64}
    weighed = {"loss_type": "sapo", "reward_weights": [1.0, 0.1]}
    assert said_by(arguments | weighed) == ("staleness", "tolerant_clip", "learning_rate")
    assert said_by({"reward_weights": [1.0, 0.1]}) == ("learning_rate",)


def test_another_configuration_can_be_put_on_the_same_records():
    assert supposing({"a": 1, "arguments": {"b": 2}}, {"b": "3"}) == {
        "a": 1,
        "arguments": {"b": "3"},
    }
    assert supposing({"a": 1}, {"b": "3"}) == {"a": 1, "b": "3"}


def test_only_collapsed_runs_of_the_seeds_asked_for_are_taken(tmp_path: Path):
    for name, seed, algorithm, end in (
        ("healthy", 3, "cispo", 0.9),
        ("early", 0, "cispo", 0.0),
        ("clip", 3, "cispo", 0.0),
        ("rate", 3, "grpo", 0.0),
        ("stated", 3, "grpo", 0.0),
    ):
        config = {"seed": seed, "algorithm": algorithm, "task": "household"}
        stated = {"failure": "format"} if name == "stated" else {}
        writer = RunWriter(tmp_path / name, {"config": config, **stated})
        for step in range(80):
            reward = min(0.9, 0.05 * step) if step < 50 else end
            writer.append(Record(step, values={"reward/success_rate": reward}))
        writer.finish()
    truths = {run.name: run.truth for run in caught_in([tmp_path], [3, 4])}
    assert truths == {"clip": "tolerant_clip", "rate": "learning_rate", "stated": "format"}
    assert len(list(caught_in([tmp_path], []))) == 4
