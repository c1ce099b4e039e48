"""Real commands under a real `collapse-lab watch`, a real HTTP server, and alarms to tell of."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from collapse_lab.alerts import Notice
from collapse_lab.records import Alarm, Evidence, Severity

COMMAND = [sys.executable, "-c", "from collapse_lab.cli import main; main()"]
Watch = Callable[..., subprocess.CompletedProcess[bytes]]

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")  # a machine that is busy is no failure


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., list[str]]:
    """`collapse-lab watch` of a Python program, recording to the run folder `tmp_path/runs/run`."""

    def build(program: str, *options: object, name: str = "run") -> list[str]:
        script = tmp_path / "train.py"
        script.write_text(program)
        root = ["--root", str(tmp_path / "runs"), "--name", name]
        run = ["--", sys.executable, str(script)]
        return [*COMMAND, "watch", *root, *map(str, options), *run]

    return build


@pytest.fixture
def watch(command: Callable[..., list[str]], tmp_path: Path) -> Watch:
    """Runs it to its end, its streams captured."""

    def run(
        program: str, *options: object, **keywords: object
    ) -> subprocess.CompletedProcess[bytes]:
        settings: dict[str, object] = {"capture_output": True, "cwd": tmp_path, "timeout": 120}
        return subprocess.run(command(program, *options), **(settings | keywords))  # type: ignore[call-overload]

    return run


@pytest.fixture
def hanging_server() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The run folder."""
    return tmp_path / "runs" / "run"


class Server:
    """Keeps (headers, body) of every POST; answers with the next of `answers`, then with 200."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], Any]] = []
        self.answers: list[int] = []
        kept = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                kept.requests.append((dict(self.headers), json.loads(body)))
                self.send_response(kept.answers.pop(0) if kept.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/hook"


@pytest.fixture
def server() -> Iterator[Server]:
    kept = Server()
    thread = threading.Thread(target=kept.http.serve_forever)
    thread.start()
    yield kept
    kept.http.shutdown()
    thread.join()
    kept.http.server_close()


@pytest.fixture
def alarm() -> Callable[..., Alarm]:
    """An alarm about an entropy that has left its band 0.15 to 0.3."""

    def build(
        step: int = 1,
        severity: Severity = "alarm",
        detector: str = "cusum",
        message: str = "entropy falls",
    ) -> Alarm:
        part = Evidence("policy/entropy", "policy", 30, 0.03, 0.2, 0.15, 0.3, "down", 9.0, 11, 12)
        return Alarm(step, severity, detector, message, 30, (28, 33), (part,), 27, ("ratio",))

    return build


@pytest.fixture
def notice(alarm: Callable[..., Alarm]) -> Callable[..., Notice]:
    """A notice about such an alarm; what is no field of a notice is one of the alarm."""

    def build(run: str = "/runs/a", **fields: Any) -> Notice:
        own = {name: fields.pop(name) for name in ("status", "ended", "remark") if name in fields}
        return Notice(alarm(**fields), run, started=1e9, **own)

    return build


@pytest.fixture(scope="session")
def verl() -> Callable[..., dict[str, Any]]:
    """verl's own default configuration, with changes by dotted name."""
    omegaconf = pytest.importorskip("omegaconf")
    found = importlib.util.find_spec("verl")
    if found is None or not found.submodule_search_locations:
        pytest.skip("verl is not installed")
    folder = Path(found.submodule_search_locations[0])

    def build(**changes: Any) -> dict[str, Any]:
        made = omegaconf.OmegaConf.load(folder / "trainer/config/_generated_ppo_trainer.yaml")
        for name, value in changes.items():
            omegaconf.OmegaConf.update(made, name, value, force_add=True)
        return omegaconf.OmegaConf.to_container(made)

    return build


@pytest.fixture(scope="session")
def real_logs() -> Path:
    """The folder of other people's logs; tests that read them skip where nobody names it."""
    named = os.environ.get("COLLAPSE_LAB_REALLOGS")
    if not named:
        pytest.skip("COLLAPSE_LAB_REALLOGS does not say where the real logs are")
    return Path(named)
