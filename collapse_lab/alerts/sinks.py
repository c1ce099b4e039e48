"""Where an alert can go: a command, a webhook, a chat or mail service, a Python function.

A sink sends one notice or raises; retries, limits and threads are the dispatcher's. To add one:
a class here with `name`, `tells_of` and `send`, and a line in `targets`.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any, ClassVar, Literal, Protocol
from urllib.parse import urlsplit

from collapse_lab.alerts.text import block, headline
from collapse_lab.records import Alarm

Status = Literal["firing", "recovered", "ended"]
EVERY: frozenset[Status] = frozenset(("firing", "recovered", "ended"))
NEVER = "0001-01-01T00:00:00Z"


class Refused(Exception):
    """The target will not take this notice, now or later."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One message about one alarm.

    `run` is the run folder; `started` and `ended` are unix seconds, `ended` None while firing.
    `status` is `recovered` when the signals have come back, `ended` when the run has, or was taken
    back to a checkpoint. `remark` is one more sentence about the alert itself, such as that it is
    the last one, or what has come back.
    """

    alarm: Alarm
    run: str
    started: float
    status: Status = "firing"
    ended: float | None = None
    remark: str = ""

    @property
    def fingerprint(self) -> str:
        """The same for every notice of one detector about one run."""
        return hashlib.sha256(f"{self.run}\n{self.alarm.detector}".encode()).hexdigest()[:16]

    @property
    def title(self) -> str:
        """One line."""
        state = "" if self.status == "firing" else f"{self.status}, was "
        return f"{PurePath(self.run).name}: {state}{headline(self.alarm)}"

    @property
    def text(self) -> str:
        """All that there is to say, in lines."""
        told = block(self.alarm, self.run)
        lines = [self.remark, told] if self.status == "recovered" else [told, self.remark]
        return "\n".join(filter(None, lines))


class Sink(Protocol):
    """`tells_of` are the states in which it takes notices."""

    tells_of: ClassVar[frozenset[Status]]

    @property
    def name(self) -> str: ...

    def send(self, notice: Notice) -> None:
        """Raises when the notice could not be handed over; `Refused` when trying again is vain."""
        ...


@dataclass(frozen=True, slots=True)
class Hook:
    """A shell command: the alarm as JSON on its standard input, the rest in its environment."""

    command: str
    timeout: float = 30.0
    tells_of: ClassVar[frozenset[Status]] = frozenset(("firing",))

    def __post_init__(self) -> None:
        if not self.command.strip():
            raise ValueError("--hook is empty: is a shell variable in it not set?")

    @property
    def name(self) -> str:
        return f"hook {self.command!r}"

    def send(self, notice: Notice) -> None:
        alarm = notice.alarm
        process = subprocess.Popen(
            self.command,
            shell=True,
            stdin=subprocess.PIPE,
            start_new_session=True,
            env={
                **os.environ,
                "COLLAPSE_LAB_RUN": notice.run,
                "COLLAPSE_LAB_STEP": str(alarm.step),
                "COLLAPSE_LAB_SEVERITY": alarm.severity,
                "COLLAPSE_LAB_DETECTOR": alarm.detector,
            },
        )
        try:
            process.communicate(json.dumps(alarm.to_dict()).encode(), timeout=self.timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise Refused(f"took longer than {self.timeout:g} seconds and was killed") from None
        if process.returncode:
            raise RuntimeError(f"exit code {process.returncode}")


@dataclass(frozen=True, slots=True)
class Webhook:
    """An HTTP POST in the shape of Alertmanager's webhook, version 4."""

    url: str
    timeout: float = 10.0
    tells_of: ClassVar[frozenset[Status]] = EVERY

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{self.url!r} is not an http or https address")

    @property
    def name(self) -> str:
        return f"webhook {urlsplit(self.url).hostname}"  # the path often holds a secret

    def send(self, notice: Notice) -> None:
        request = urllib.request.Request(
            self.url,
            json.dumps(alertmanager(notice)).encode(),
            {"Content-Type": "application/json", "User-Agent": "collapse-lab"},
        )
        try:
            with urllib.request.urlopen(request, timeout=self.timeout):
                pass
        except urllib.error.HTTPError as error:
            if 400 <= error.code < 500 and error.code not in (408, 429):
                raise Refused(f"answered {error.code} {error.reason}") from None
            raise


class Apprise:
    """Any service that apprise knows, by its URL: Slack, mail, Discord, ntfy, ...

    Who was woken by an alarm is told when it is over, too, but not that a run has ended.
    """

    tells_of: ClassVar[frozenset[Status]] = frozenset(("firing", "recovered"))

    def __init__(self, url: str) -> None:
        try:
            import apprise
        except ImportError:
            raise ValueError("--alert needs apprise: pip install 'collapse-lab[alerts]'") from None
        self._service: Any = apprise.Apprise()
        if not self._service.add(url):
            raise ValueError(f"apprise knows no service for {url.partition(':')[0]}://...")
        self.name = f"alert {url.partition(':')[0]}"
        self._kinds: dict[str, Any] = {
            "watch": apprise.NotifyType.INFO,
            "alarm": apprise.NotifyType.WARNING,
            "critical": apprise.NotifyType.FAILURE,
        }
        self._recovered = apprise.NotifyType.SUCCESS

    def send(self, notice: Notice) -> None:
        firing = notice.status == "firing"
        kind = self._kinds[notice.alarm.severity] if firing else self._recovered
        if not self._service.notify(title=notice.title, body=notice.text, notify_type=kind):
            raise RuntimeError("apprise could not deliver it")


@dataclass(frozen=True, slots=True)
class Call:
    """A Python function of the notice."""

    function: Callable[[Notice], object]
    tells_of: ClassVar[frozenset[Status]] = EVERY

    @property
    def name(self) -> str:
        return f"callable {getattr(self.function, '__name__', self.function)}"

    def send(self, notice: Notice) -> None:
        self.function(notice)


def alertmanager(notice: Notice) -> dict[str, Any]:
    """The notice as the body of an Alertmanager webhook (version 4), a group of one alert."""
    alarm, run = notice.alarm, PurePath(notice.run).name
    status = "firing" if notice.status == "firing" else "resolved"
    labels = {
        "alertname": f"collapse-lab {alarm.detector}",
        "detector": alarm.detector,
        "instance": os.uname().nodename,
        "job": "collapse-lab",
        "run": run,
        "severity": alarm.severity,
    }
    annotations = {"summary": notice.title, "description": notice.text}
    alert = {
        "status": status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": _rfc3339(notice.started),
        "endsAt": NEVER if notice.ended is None else _rfc3339(notice.ended),
        "generatorURL": "",
        "fingerprint": notice.fingerprint,
    }
    return {
        "version": "4",
        "groupKey": f"collapse-lab:{notice.fingerprint}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "collapse-lab",
        "groupLabels": {"alertname": labels["alertname"], "run": run},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [alert],
    }


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
