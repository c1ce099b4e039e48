"""Who is told what, how often, and that nobody waits for it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from collapse_lab.alerts import (
    Apprise,
    Call,
    Dispatcher,
    Hook,
    Notice,
    Target,
    Webhook,
    targets,
)
from collapse_lab.records import RESTART, Alarm, Record

MakeAlarm = Callable[..., Alarm]


class Clock:
    """Unix seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        return self.now


def told_of(told: list[Notice]) -> list[tuple[int, str]]:
    return [(notice.alarm.step, notice.status) for notice in told]


def test_a_repetition_is_held_back_until_the_cooldown_has_passed(alarm: MakeAlarm) -> None:
    told: list[Notice] = []
    clock = Clock()
    dispatcher = Dispatcher([Target(Call(told.append))], "a", cooldown=60, clock=clock)
    dispatcher.alarm(alarm(step=1))
    clock.now += 59
    dispatcher.alarm(alarm(step=2))
    clock.now += 2
    dispatcher.alarm(alarm(step=3))
    assert dispatcher.close(5)
    assert told_of(told) == [(1, "firing"), (3, "firing")]
    assert told[1].started == told[0].started  # one alert, still firing


def test_a_more_severe_alarm_and_another_detector_do_not_wait(alarm: MakeAlarm) -> None:
    told: list[Notice] = []
    dispatcher = Dispatcher([Target(Call(told.append))], "a")
    dispatcher.alarm(alarm(step=1))
    dispatcher.alarm(alarm(step=2, severity="critical"))
    dispatcher.alarm(alarm(step=3))
    dispatcher.alarm(alarm(step=4, detector="reward-drop"))
    assert dispatcher.close(5)
    assert [notice.alarm.step for notice in told] == [1, 2, 4]


def test_each_target_has_its_own_threshold(alarm: MakeAlarm) -> None:
    heard: dict[str, list[int]] = {"watch": [], "alarm": [], "critical": []}
    everybody = [
        Target(Call(lambda notice, least=least: heard[least].append(notice.alarm.step)), least)
        for least in ("watch", "alarm", "critical")
    ]
    dispatcher = Dispatcher(everybody, "a")
    dispatcher.alarm(alarm(step=1, severity="watch", detector="x"))
    dispatcher.alarm(alarm(step=2, severity="alarm", detector="y"))
    dispatcher.alarm(alarm(step=3, severity="critical", detector="z"))
    assert dispatcher.close(5)
    assert heard == {"watch": [1, 2, 3], "alarm": [2, 3], "critical": [3]}


def test_the_last_alert_of_a_run_says_that_it_is_the_last(alarm: MakeAlarm) -> None:
    told: list[Notice] = []
    dispatcher = Dispatcher([Target(Call(told.append))], "a", most=2)
    for step in range(5):
        dispatcher.alarm(alarm(step=step, detector=f"detector {step}"))
    assert dispatcher.close(5)
    assert [notice.alarm.step for notice in told] == [0, 1]
    assert "last one" not in told[0].text
    assert "This is alert 2 of this run and the last one sent." in told[1].text


def test_a_target_is_told_only_of_the_ends_of_what_it_was_told(alarm: MakeAlarm) -> None:
    told: list[Notice] = []
    dispatcher = Dispatcher([Target(Call(told.append))], "a", most=1)
    dispatcher.alarm(alarm(step=1, detector="x"))
    dispatcher.alarm(alarm(step=2, detector="y"))  # beyond the most that it gets
    dispatcher.end()
    dispatcher.alarm(alarm(step=3, detector="x"))
    dispatcher.end()
    assert dispatcher.close(5)
    assert told_of(told) == [(1, "firing"), (1, "ended")]


def test_an_alert_that_became_less_severe_than_its_target_wants_is_still_ended(
    alarm: MakeAlarm,
) -> None:
    told: list[Notice] = []
    dispatcher = Dispatcher([Target(Call(told.append))], "a", cooldown=0)
    dispatcher.alarm(alarm(step=1))
    dispatcher.alarm(alarm(step=2, severity="watch"))
    dispatcher.end()
    assert dispatcher.close(5)
    assert told_of(told) == [(1, "firing"), (2, "ended")]


def record(step: int, entropy: float, **notes: str) -> Record:
    return Record(step, values={"policy/entropy": entropy}, notes=notes)


def test_ten_records_back_within_the_band_end_an_alert(alarm: MakeAlarm) -> None:
    told: list[Notice] = []
    clock = Clock()
    dispatcher = Dispatcher([Target(Call(told.append))], "a", clock=clock)
    dispatcher.alarm(alarm(step=1))
    entropies = [*[0.03] * 10, *[0.2] * 7, float("nan"), *[0.2] * 10]
    for step, entropy in enumerate(entropies):
        over = dispatcher.record(record(step, entropy))
        assert bool(over) == (step == len(entropies) - 1)
        clock.now += 1
    assert dispatcher.close(5)
    assert told_of(told) == [(1, "firing"), (1, "recovered")]
    assert told[1].ended == 1e9 + len(entropies) - 1
    assert told[1].text.startswith("policy/entropy is back at 0.2, over 10 records\n")


def test_a_restart_and_the_end_end_what_fires(alarm: MakeAlarm) -> None:
    told: list[Notice] = []
    dispatcher = Dispatcher([Target(Call(told.append))], "a")
    dispatcher.alarm(alarm(step=1))
    dispatcher.record(record(0, 0.1, **{RESTART: "step went back"}))
    dispatcher.alarm(alarm(step=5))
    dispatcher.end()
    dispatcher.end()
    assert dispatcher.close(5)
    assert told_of(told) == [(1, "firing"), (1, "ended"), (5, "firing"), (5, "ended")]


def test_people_are_told_of_a_recovery_but_not_of_an_end_and_hooks_of_neither(
    alarm: MakeAlarm, server: Any, tmp_path: Path
) -> None:
    pytest.importorskip("apprise")
    mail = Target(Apprise(server.url.replace("http://", "json://")))
    hook = Target(Hook(f"echo told >> {tmp_path}/hook"))
    dispatcher = Dispatcher([mail, hook], "runs/a")
    dispatcher.alarm(alarm(step=1))
    for step in range(2, 12):
        dispatcher.record(record(step, 0.2))
    dispatcher.alarm(alarm(step=20))
    dispatcher.end()
    assert dispatcher.close(10)
    titles = [(body["title"], body["type"]) for _, body in server.requests]
    assert titles == [
        ("a: alarm at step 1: entropy falls", "warning"),
        ("a: recovered, was alarm at step 1: entropy falls", "success"),
        ("a: alarm at step 20: entropy falls", "warning"),
    ]
    assert (tmp_path / "hook").read_text() == "told\ntold\n"


def test_alerts_of_before_a_restart_of_watch_count_and_nothing_else(alarm: MakeAlarm) -> None:
    told: list[Notice] = []
    dispatcher = Dispatcher([Target(Call(told.append))], "a", most=2)
    dispatcher.recall([alarm(step=1)])
    for step in range(2, 12):
        assert dispatcher.record(record(step, 0.2)) == []  # whoever told of it told of its end
    dispatcher.alarm(alarm(step=20))  # days later, so that no cooldown holds it back
    dispatcher.alarm(alarm(step=30, detector="x"))
    assert dispatcher.close(5)
    assert told_of(told) == [(20, "firing")]


def test_a_server_that_fails_and_recovers_is_told_in_the_end(alarm: MakeAlarm, server: Any) -> None:
    server.answers = [503, 503]
    complaints: list[str] = []
    dispatcher = Dispatcher(
        [Target(Webhook(server.url))], "a", complain=complaints.append, first_pause=0.05
    )
    dispatcher.alarm(alarm(step=7))
    while len(server.requests) < 3:
        time.sleep(0.01)
    assert dispatcher.close(5)
    assert len(server.requests) == 3
    assert complaints == []


def test_a_server_that_is_away_for_a_moment_at_the_end_of_a_run_is_told(
    alarm: MakeAlarm, server: Any
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    complaints: list[str] = []
    webhook = Webhook(f"http://127.0.0.1:{port}/hook")
    dispatcher = Dispatcher([Target(webhook)], "a", complain=complaints.append, first_pause=0.3)
    dispatcher.alarm(alarm(step=7))
    handler = server.http.RequestHandlerClass
    late: list[ThreadingHTTPServer] = []

    def start() -> None:
        late.append(ThreadingHTTPServer(("127.0.0.1", port), handler))
        late[0].serve_forever()

    threading.Timer(0.6, start).start()
    assert dispatcher.close(10)
    assert complaints == []
    assert len(server.requests) == 1
    late[0].shutdown()
    late[0].server_close()


@pytest.mark.parametrize(("answers", "tries"), [([503] * 9, 8), ([403], 1)])
def test_a_failure_for_good_is_told_in_one_line_and_later_alerts_are_tried(
    alarm: MakeAlarm, server: Any, answers: list[int], tries: int
) -> None:
    server.answers = answers[:tries]
    complaints: list[str] = []
    dispatcher = Dispatcher(
        [Target(Webhook(server.url))], "a", complain=complaints.append, first_pause=0.01
    )
    dispatcher.alarm(alarm(step=7))
    dispatcher.alarm(alarm(step=8, detector="x"))
    assert dispatcher.close(10)
    assert len(server.requests) == tries + 1
    (line,) = complaints
    assert "webhook 127.0.0.1 was not told of the alarm at step 7" in line
    assert "\n" not in line


def test_a_target_that_hangs_holds_up_neither_the_caller_nor_other_targets(
    alarm: MakeAlarm, hanging_server: str
) -> None:
    heard = threading.Event()
    dispatcher = Dispatcher(
        [Target(Webhook(hanging_server, timeout=60)), Target(Call(lambda notice: heard.set()))],
        "a",
    )
    started = time.monotonic()
    dispatcher.alarm(alarm())
    assert heard.wait(5)
    assert not dispatcher.close(0.2)
    assert time.monotonic() - started < 5


def test_the_command_line_names_targets_with_and_without_a_threshold() -> None:
    found = targets([], ["critical=./page.sh", "./note.sh a=b"], ["http://host/alarm=x"], "watch")
    assert [(target.sink.name, target.least) for target in found] == [
        ("hook './page.sh'", "critical"),
        ("hook './note.sh a=b'", "watch"),
        ("webhook host", "watch"),
    ]


@pytest.mark.parametrize("hook", ["critcal=./page.sh", "Critical=./page.sh", "alarms=./page.sh"])
def test_a_misspelt_severity_is_refused_with_the_right_one(hook: str) -> None:
    with pytest.raises(ValueError, match=r"write (critical|alarm)=\./page\.sh"):
        targets([], [hook], [], "alarm")


def test_a_variable_before_a_command_is_no_severity() -> None:
    (found,) = targets([], ["CHANNEL=ops ./page.sh"], [], "alarm")
    assert found.least == "alarm"
