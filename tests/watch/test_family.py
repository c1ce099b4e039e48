"""Actions reach a training whose launcher gives its workers sessions of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from collapse_lab.watch.family import descendants, heedful

Command = Callable[..., list[str]]
Watch = Callable[..., subprocess.CompletedProcess[bytes]]

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="Linux's /proc")

LAUNCHER = """
import subprocess, sys
workers = [
    subprocess.Popen([sys.executable, "worker.py", rank], start_new_session=True) for rank in "01"
]
sys.exit(max(worker.wait() for worker in workers))
"""
WORKER = """
import signal, sys, time
{heed}
if sys.argv[1] == "0":
    time.sleep(1)
    for step in range(1, 30):
        print(f"step:{{step}} - actor/grad_norm:{{'nan' if step > 20 else 0.5 + step / 100}}")
time.sleep({seconds})
"""
NOTED = "open('pids', 'w').write(f'{workers[0].pid} {workers[1].pid}')\n"
SAVES = "signal.signal(signal.SIGUSR1, lambda *_: open(f'saved-{sys.argv[1]}', 'w').close())"
IGNORES = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"


def test_the_workers_that_save_on_a_signal_get_it_and_their_launcher_lives(
    watch: Watch, tmp_path: Path
) -> None:
    (tmp_path / "worker.py").write_text(WORKER.format(heed=SAVES, seconds=3))
    done = watch(LAUNCHER, "--on-alarm", "signal:USR1")
    assert done.returncode == 0
    assert sorted(path.name for path in tmp_path.glob("saved-*")) == ["saved-0", "saved-1"]
    assert b"it was not sent" not in done.stderr


def test_a_command_that_would_die_of_the_signal_does_not_get_it(
    watch: Watch, tmp_path: Path
) -> None:
    (tmp_path / "worker.py").write_text(WORKER.format(heed="", seconds=2))
    done = watch(LAUNCHER, "--on-alarm", "signal:USR1")
    assert done.returncode == 0
    assert (
        b"collapse-lab: sending SIGUSR1, as --on-alarm says\n"
        b"collapse-lab: it was not sent: the command does not handle it, and would have died of it"
        in done.stderr
    )


def test_a_stop_that_has_to_kill_leaves_no_worker_behind(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / "worker.py").write_text(WORKER.format(heed=IGNORES, seconds=600))
    launcher = f"""
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
{LAUNCHER.replace("sys.exit", NOTED + "sys.exit")}
"""
    done = watch(launcher, "--on-alarm", "stop", "--grace", 1)
    assert done.returncode == 3
    end = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in (tmp_path / "pids").read_text().split()):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_helpers_of_a_process_that_handles_a_signal_are_not_asked() -> None:
    program = """
import os, signal, sys, time
signal.signal(signal.SIGUSR1, lambda *_: None)
if os.fork() == 0:
    time.sleep(60)
print("ready", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline() == b"ready\n"
        (helper,) = descendants(process.pid)
        assert {process.pid, helper} <= set(descendants(os.getpid()))
        assert heedful(process.pid, signal.SIGUSR1) == [process.pid]
        assert heedful(process.pid, signal.SIGUSR2) == []
        os.kill(helper, signal.SIGKILL)
        process.kill()
