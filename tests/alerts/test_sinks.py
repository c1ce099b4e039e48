"""Sinks against real servers, real processes and the real apprise."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from collapse_lab.alerts import Apprise, Call, Hook, Notice, Refused, Webhook

MakeNotice = Callable[..., Notice]


def test_a_hook_gets_the_alarm_on_its_input_and_the_rest_in_its_environment(
    notice: MakeNotice, tmp_path: Path
) -> None:
    script = 'cat > alarm.json; echo "$COLLAPSE_LAB_RUN $COLLAPSE_LAB_STEP" > env.txt; echo '
    script += '"$COLLAPSE_LAB_SEVERITY $COLLAPSE_LAB_DETECTOR" >> env.txt'
    told = notice(step=42, severity="critical", detector="non-finite")
    Hook(f"cd {tmp_path}; {script}").send(told)
    assert (tmp_path / "env.txt").read_text() == "/runs/a 42\ncritical non-finite\n"
    assert json.loads((tmp_path / "alarm.json").read_text()) == told.alarm.to_dict()


def test_a_hook_that_fails_says_its_exit_code(notice: MakeNotice) -> None:
    with pytest.raises(RuntimeError, match="exit code 7"):
        Hook("exit 7").send(notice())


def test_a_hook_that_reads_nothing_is_no_failure(notice: MakeNotice) -> None:
    Hook("exec <&-; exit 0").send(notice(message="x" * 1_000_000))


def test_a_hook_that_hangs_is_killed_with_its_children(notice: MakeNotice, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    started = time.monotonic()
    with pytest.raises(Refused, match=r"longer than 0\.5 seconds"):
        Hook(f"sleep 60 & echo $! > {pid_file}; wait", timeout=0.5).send(notice())
    assert time.monotonic() - started < 10
    with pytest.raises(ProcessLookupError):
        for _ in range(100):
            os.kill(int(pid_file.read_text()), 0)
            time.sleep(0.05)


def test_a_webhook_posts_what_alertmanager_would(notice: MakeNotice, server: Any) -> None:
    told = notice(step=42, severity="critical", detector="non-finite")
    Webhook(server.url).send(told)
    ((headers, body),) = server.requests
    assert headers["Content-Type"] == "application/json"
    assert (body["version"], body["status"], body["truncatedAlerts"]) == ("4", "firing", 0)
    (alert,) = body["alerts"]
    assert alert["labels"] | {"instance": "here"} == {
        "alertname": "collapse-lab non-finite",
        "detector": "non-finite",
        "instance": "here",
        "job": "collapse-lab",
        "run": "a",
        "severity": "critical",
    }
    assert alert["startsAt"] == "2001-09-09T01:46:40Z"
    assert alert["endsAt"] == "0001-01-01T00:00:00Z"
    assert "step 42" in alert["annotations"]["summary"]


@pytest.mark.parametrize("status", ["recovered", "ended"])
def test_a_webhook_calls_what_is_over_resolved_under_the_same_fingerprint(
    notice: MakeNotice, server: Any, status: str
) -> None:
    Webhook(server.url).send(notice(step=42, detector="cusum"))
    Webhook(server.url).send(notice(step=50, detector="cusum", status=status, ended=1e9 + 60))
    firing, resolved = (body["alerts"][0] for _, body in server.requests)
    assert firing["fingerprint"] == resolved["fingerprint"]
    assert resolved["status"] == "resolved"
    assert resolved["endsAt"] == "2001-09-09T01:47:40Z"


def test_the_fingerprint_tells_runs_and_detectors_apart(notice: MakeNotice) -> None:
    notices = [notice(run=run, detector=name) for run in "ab" for name in ("cusum", "stuck")]
    assert len({told.fingerprint for told in notices}) == 4


@pytest.mark.parametrize(("status", "error"), [(404, Refused), (503, OSError), (429, OSError)])
def test_a_refusal_is_final_and_a_failure_is_not(
    notice: MakeNotice, server: Any, status: int, error: type[Exception]
) -> None:
    server.answers = [status]
    with pytest.raises(error):
        Webhook(server.url).send(notice())


def test_a_server_that_hangs_costs_the_timeout(notice: MakeNotice, hanging_server: str) -> None:
    started = time.monotonic()
    with pytest.raises(OSError):
        Webhook(hanging_server, timeout=0.3).send(notice())
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("url", ["ftp://host/x", "https://", "example.com/hook"])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="is not an http"):
        Webhook(url)


def test_the_name_of_a_webhook_keeps_its_secret() -> None:
    assert "SECRET" not in Webhook("https://hooks.example.com/SECRET?key=SECRET").name


def test_apprise_delivers_title_and_text(notice: MakeNotice, server: Any) -> None:
    pytest.importorskip("apprise")
    Apprise(server.url.replace("http://", "json://")).send(notice(step=42, severity="critical"))
    ((_, body),) = server.requests
    assert "critical at step 42" in body["title"]
    assert "collapse-lab replay /runs/a" in body["message"]
    assert body["type"] == "failure"


def test_apprise_that_cannot_deliver_says_so(notice: MakeNotice, server: Any) -> None:
    pytest.importorskip("apprise")
    server.answers = [500]
    with pytest.raises(RuntimeError):
        Apprise(server.url.replace("http://", "json://")).send(notice())


def test_a_url_that_apprise_does_not_know_is_refused_at_once_without_its_secret() -> None:
    pytest.importorskip("apprise")
    with pytest.raises(ValueError, match=r"nosuch://\.\.\.") as error:
        Apprise("nosuch://SECRET@host")
    assert "SECRET" not in str(error.value)


def test_a_python_function_gets_the_notice(notice: MakeNotice) -> None:
    told: list[Notice] = []
    Call(told.append).send(notice(step=3))
    assert told[0].alarm.step == 3
