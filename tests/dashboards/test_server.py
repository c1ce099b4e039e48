"""The app as a process: its link, its token, its end, and a watched command that never notices."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("dash")

from app_examples import COMMAND, served, write_run


def status(link: str) -> int:
    try:
        with urllib.request.urlopen(link, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_dash_prints_its_link_answers_there_and_ends_on_ctrl_c(tmp_path: Path) -> None:
    write_run(tmp_path / "one")
    with served(tmp_path, "--run", "one") as link:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/run/one", link)
        assert status(link) == 200


def test_bound_elsewhere_it_prints_a_token_and_answers_nobody_without(tmp_path: Path) -> None:
    write_run(tmp_path / "one")
    with served(tmp_path, "--host", "0.0.0.0") as link:
        assert re.search(r"/\?token=[\w-]{32}$", link)
        assert status(link) == 200
        assert status(link.split("?")[0]) == 403


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with served(tmp_path) as link:
        port = link.rstrip("/").rsplit(":", 1)[1]
        command = [*COMMAND, "dash", str(tmp_path), "--port", port, "--no-browser"]
        second = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert second.returncode == 2 and "cannot listen on 127.0.0.1" in second.stderr


def test_watch_opens_the_app_on_its_run_and_the_command_is_as_ever(
    command: Callable[..., list[str]], tmp_path: Path
) -> None:
    program = "import time\nfor step in range(3):\n    print('step:%d - a:1' % step)\nexit(7)"
    browser = {"BROWSER": "true", "TMPDIR": str(tmp_path)}
    watched = subprocess.run(
        command(program, "--dash"),
        capture_output=True, text=True, timeout=120, env=os.environ | browser,
    )  # fmt: skip
    assert watched.returncode == 7 and watched.stdout.count("step:") == 3
    found = re.search(r"the app opens at (http://127\.0\.0\.1:\d+/run/run)", watched.stderr)
    assert found, watched.stderr
    link, pid = found[1], _process_beside(found[1])
    try:
        deadline = time.monotonic() + 60
        while True:  # it outlives the command: somebody is still to read of its end
            try:
                assert status(link) == 200
                break
            except urllib.error.URLError:
                assert time.monotonic() < deadline, "the app never answered"
                time.sleep(0.2)
    finally:
        os.kill(pid, signal.SIGTERM)


def _process_beside(link: str) -> int:
    """The app's process, by the port in its command line."""
    port = re.search(r":(\d+)/", link)
    assert port
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if port[1].encode() in words and b"dash" in words:
            return int(entry.parent.name)
    raise AssertionError("no such process")
