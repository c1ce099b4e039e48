"""Live and replay are one generator."""

from __future__ import annotations

from collapse_lab.detectors.panel import Panel
from collapse_lab.records import NEW_RUN, Alarm, Record
from collapse_lab.watch import detect


class FirstAndThird:
    """Alarms at the first and the third record that it sees."""

    def __init__(self) -> None:
        self.seen = 0

    def update(self, record: Record) -> list[Alarm]:
        self.seen += 1
        if self.seen not in (1, 3):
            return []
        return [
            Alarm(record.step, "watch", "counting", "", record.step, (record.step, record.step))
        ]


def test_another_run_in_the_same_log_is_judged_by_a_panel_of_its_own() -> None:
    records = [Record(step) for step in range(4)]
    records += [Record(0, notes={NEW_RUN: "b"}), Record(1), Record(2)]
    found = [[alarm.step for alarm in alarms] for _, alarms in detect(records, FirstAndThird)]
    assert found == [[0], [], [2], [], [0], [], [2]]


def test_runs_that_go_on_at_once_are_judged_each_from_its_first_record_on() -> None:
    turns = [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2), ("b", 2)]
    records = [Record(step, notes={NEW_RUN: run}) for run, step in turns]
    found = [[alarm.step for alarm in alarms] for _, alarms in detect(records, FirstAndThird)]
    assert found == [[0], [0], [], [], [2], [2]]


def test_alarms_come_with_their_record_and_before_the_next_is_asked_for() -> None:
    asked: list[int] = []

    def records():  # type: ignore[no-untyped-def]
        for step in range(3):
            asked.append(step)
            yield Record(step, values={"loss/total": float("nan") if step == 1 else 0.5})

    judged = detect(records(), Panel)
    assert next(judged)[1] == []
    record, (alarm,) = next(judged)
    assert (record.step, alarm.severity, alarm.step) == (1, "critical", 1)
    assert asked == [0, 1]
