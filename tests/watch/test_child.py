"""The watched command does not notice that it is watched."""

from __future__ import annotations

import os
import pty
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from collapse_lab.store import RunReader

Command = Callable[..., list[str]]
Watch = Callable[..., subprocess.CompletedProcess[bytes]]

METRICS = "print(f'step:{step} - actor/grad_norm:{0.5 + step % 7 / 50:.3f}')"
NOISY = f"""
import sys, os
for step in range(1, 40):
    {METRICS}
    print("warning", step, file=sys.stderr, flush=step % 3 == 0)
sys.stdout.flush()
os.write(1, bytes(range(256)) + b"no newline at the end")
sys.exit(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
"""


def test_output_errors_and_exit_code_are_those_of_the_bare_command(
    watch: Watch, tmp_path: Path
) -> None:
    watched = watch(NOISY)
    bare = subprocess.run([sys.executable, tmp_path / "train.py"], capture_output=True)
    assert watched.stdout == bare.stdout
    assert watched.stderr == bare.stderr
    assert watched.returncode == bare.returncode == 5


def test_output_and_errors_that_go_to_one_place_keep_their_order(
    watch: Watch, tmp_path: Path, folder: Path
) -> None:
    program = """
import os
for step in range(1, 500):
    os.write(1, b"step:%d - actor/grad_norm:%f\\n" % (step, step % 7 + 1))
    os.write(2, b"warning after step %d\\n" % step)
"""
    watched = watch(program, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, capture_output=False)
    bare = subprocess.run(
        [sys.executable, tmp_path / "train.py"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    ours = [line for line in watched.stdout.splitlines(True) if line.startswith(b"collapse-lab")]
    assert watched.stdout.replace(b"".join(ours), b"") == bare.stdout
    assert [record.step for record in RunReader(folder).new()] == list(range(1, 500))


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_without_one_of_its_standard_streams_a_command_runs_all_the_same(
    command: Command, tmp_path: Path, folder: Path, closed: str
) -> None:
    program = "open('came', 'w').close(); raise SystemExit(6)"
    line = ["sh", "-c", f'"$@" {closed}', "sh", *command(program)]
    assert subprocess.run(line, cwd=tmp_path, capture_output=True).returncode == 6
    assert (tmp_path / "came").exists()
    assert RunReader(folder).meta["exit_code"] == 6


def test_a_script_that_names_no_interpreter_is_run_by_a_shell(
    command: Command, tmp_path: Path
) -> None:
    script = tmp_path / "launch"
    script.write_text("echo launched $1\n")
    script.chmod(0o755)
    done = subprocess.run([*command("")[:-2], script, "it"], cwd=tmp_path, capture_output=True)
    assert done.stdout == b"launched it\n"
    assert done.returncode == 0


def test_death_by_a_signal_is_reported_as_shells_do(watch: Watch) -> None:
    assert watch("import os; os.kill(os.getpid(), 9)").returncode == 128 + 9


def test_a_command_that_does_not_exist_is_told_and_leaves_no_run(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "collapse_lab.cli", "watch", "--", "no-such-command"]
    line[1:3] = ["-c", "from collapse_lab.cli import main; main()"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 127
    assert "no-such-command: command not found" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_standard_input_reaches_the_command(watch: Watch) -> None:
    done = watch("import sys; print(sys.stdin.read()[::-1], end='')", input=b"abc\xff\n"[:3])
    assert done.stdout == b"cba"


def test_the_command_finds_its_run_folder_in_the_environment(watch: Watch, folder: Path) -> None:
    done = watch("import os; print(os.environ['COLLAPSE_LAB_RUN'])")
    assert done.stdout.decode().strip() == str(folder)


def test_output_arrives_before_the_command_ends(command: Command, tmp_path: Path) -> None:
    program = "import time; print('here', flush=True); time.sleep(60)"
    process = subprocess.Popen(command(program), stdout=subprocess.PIPE, cwd=tmp_path)
    assert process.stdout and process.stdout.readline() == b"here\n"
    assert process.poll() is None
    process.terminate()
    assert process.wait(30) == 128 + signal.SIGTERM


COUNTING = """
import signal, sys, time
seen = []
def note(number, frame):
    seen.append(signal.Signals(number).name)
for name in ("INT", "TERM", "HUP", "USR1", "USR2", "QUIT"):
    signal.signal(getattr(signal, "SIG" + name), note)
print("ready", flush=True)
end = time.time() + 30
while time.time() < end and "SIGQUIT" not in seen:
    time.sleep(0.05)
time.sleep(0.3)
print(*seen)
"""


def heed_signals() -> None:
    """As a shell leaves them: `nohup` and a job in the background ignore some, and so would we."""
    for name in ("INT", "TERM", "HUP", "USR1", "USR2", "QUIT"):
        signal.signal(getattr(signal, "SIG" + name), signal.SIG_DFL)


def test_each_signal_reaches_the_command_exactly_once(command: Command, tmp_path: Path) -> None:
    process = subprocess.Popen(
        command(COUNTING),
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        start_new_session=True,
        preexec_fn=heed_signals,
    )
    assert process.stdout and process.stdout.readline() == b"ready\n"
    for name in ("INT", "TERM", "HUP", "USR1", "USR2", "QUIT"):
        # to the whole group, as a terminal or a scheduler does
        os.killpg(process.pid, getattr(signal, f"SIG{name}"))
        time.sleep(0.1)
    assert process.stdout.readline() == b"SIGINT SIGTERM SIGHUP SIGUSR1 SIGUSR2 SIGQUIT\n"
    assert process.wait(30) == 0


SAVING = """
import signal, subprocess, sys, time
signal.signal(signal.SIG{0}, lambda *_: print("saving", flush=True))
helper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
time.sleep(1)
print("ready", flush=True)
signal.sigtimedwait([signal.SIGALRM], 2)
helper.communicate(b"\\n", timeout=30)
sys.exit(helper.returncode)
"""


@pytest.mark.parametrize("name", ["TERM", "USR1", "USR2"])
def test_what_asks_the_command_to_save_does_not_kill_its_helpers(
    command: Command, tmp_path: Path, name: str
) -> None:
    process = subprocess.Popen(
        command(SAVING.format(name)), stdout=subprocess.PIPE, cwd=tmp_path, preexec_fn=heed_signals
    )
    assert process.stdout and process.stdout.readline() == b"ready\n"
    process.send_signal(getattr(signal, f"SIG{name}"))
    assert process.stdout.readline() == b"saving\n"
    assert process.wait(30) == 0


def test_a_launch_script_that_is_ended_takes_its_training_along(
    command: Command, tmp_path: Path
) -> None:
    program = """
import signal, time
def save(number, frame):
    print("saving", flush=True)
    raise SystemExit
signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
time.sleep(30)
print("not told", flush=True)
"""
    (tmp_path / "training.py").write_text(program)
    line = command("")[:-2]  # without Python and the script
    process = subprocess.Popen(
        [*line, "sh", "-c", f"{sys.executable} training.py & wait"],
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        preexec_fn=heed_signals,
    )
    assert process.stdout and process.stdout.readline() == b"ready\n"
    process.terminate()
    assert process.wait(30) == 128 + signal.SIGTERM
    assert process.stdout.readline() == b"saving\n"


@pytest.mark.parametrize("name", ["USR1", "USR2"])
def test_a_signal_to_every_process_of_a_job_does_not_end_watching(
    command: Command, tmp_path: Path, folder: Path, name: str
) -> None:
    number = getattr(signal, f"SIG{name}")
    program = f"""
import signal, time
signal.signal({number}, lambda *_: print("step:1 - actor/grad_norm:0.5", flush=True))
print("ready", flush=True)
time.sleep(2)
"""
    process = subprocess.Popen(
        command(program), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    )
    assert process.stdout and process.stdout.readline() == b"ready\n"
    os.kill(RunReader(folder).meta["pid"], number)
    process.send_signal(number)
    assert process.communicate(timeout=60)[1] == b""
    assert [record.step for record in RunReader(folder).new()] == [1]


def test_a_signal_that_we_were_told_to_ignore_is_ignored_by_the_command_too(
    command: Command, tmp_path: Path
) -> None:
    program = "import signal; print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)"
    done = subprocess.run(["nohup", *command(program)], cwd=tmp_path, capture_output=True)
    assert done.stdout == b"True\n"


def test_a_reader_that_goes_away_ends_the_command_as_without_us(
    command: Command, tmp_path: Path
) -> None:
    program = "while True: print('y' * 1000)"
    process = subprocess.Popen(
        command(program), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=tmp_path
    )
    assert process.stdout
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(60) in (1, 120, 128 + signal.SIGPIPE)  # Python turns EPIPE into an error


def test_what_the_command_leaves_running_may_go_on_writing(
    command: Command, tmp_path: Path
) -> None:
    program = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(4); print('late', flush=True)"])
print("done", flush=True)
"""
    started = time.monotonic()
    process = subprocess.Popen(command(program), stdout=subprocess.PIPE, cwd=tmp_path)
    assert process.wait(60) == 0
    assert time.monotonic() - started < 4 + 2
    assert process.stdout and process.stdout.read() == b"done\nlate\n"


def on_a_terminal(line: list[str], cwd: Path, keys: list[tuple[bytes, bytes]]) -> tuple[bytes, int]:
    """Runs a command as a terminal's foreground job; types each key after what it waits for."""
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.execvp(line[0], line)
    output, waiting = b"", list(keys)
    while True:
        try:
            data = os.read(master, 1 << 16)
        except OSError:
            break
        output += data
        if waiting and waiting[0][0] in output:
            os.write(master, waiting.pop(0)[1])
    os.close(master)
    return output, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


TERMINAL = """
import os, sys
print("tty", *[os.isatty(number) for number in range(3)], *os.get_terminal_size())
sys.stdout.write("\\r 10%|#         | 1/10")
sys.stdout.write("\\r 20%|##        | 2/10\\n")
sys.stdout.flush()
sys.exit(4)
"""


def test_on_a_terminal_the_command_has_a_terminal_and_prints_the_same(
    command: Command, tmp_path: Path
) -> None:
    watched = on_a_terminal(command(TERMINAL), tmp_path, [])
    bare = on_a_terminal([sys.executable, str(tmp_path / "train.py")], tmp_path, [])
    assert b"tty True True True" in watched[0]
    assert watched == bare


def test_ctrl_c_on_a_terminal_interrupts_the_command_once(command: Command, tmp_path: Path) -> None:
    output, code = on_a_terminal(
        command(COUNTING), tmp_path, [(b"ready", b"\x03"), (b"^C", b"\x1c")]
    )
    assert output.endswith(b"SIGINT SIGQUIT\r\n")
    assert code == 0


def test_a_command_that_redirects_all_of_its_streams_keeps_its_terminal(
    command: Command, tmp_path: Path
) -> None:
    program = """
import os, time
log = os.open("log", os.O_RDWR | os.O_CREAT)
for number in range(3):
    os.dup2(log, number)
time.sleep(1)
print("still here")
"""
    output, code = on_a_terminal(command(program), tmp_path, [])
    assert (output, code) == (b"", 0)
    assert (tmp_path / "log").read_bytes() == b"still here\n"


def test_what_output_is_piped_into_prints_on_the_terminal_as_ever(
    command: Command, tmp_path: Path
) -> None:
    program = "import sys; print('one'); print('two'); print('three', file=sys.stderr)"
    line = ["sh", "-c", '"$@" | (sleep 3; cat)', "sh", *command(program)]
    output, _ = on_a_terminal(line, tmp_path, [])
    assert output == b"three\r\none\r\ntwo\r\n"


def test_a_command_that_saves_when_its_terminal_is_closed_is_watched_to_its_end(
    command: Command, tmp_path: Path, folder: Path
) -> None:
    program = """
import signal, time
def save(number, frame):
    try:
        print("step:2 - actor/grad_norm:nan", flush=True)
    except OSError:
        pass
signal.signal(signal.SIGHUP, save)
print("step:1 - actor/grad_norm:0.5", flush=True)
print("ready", flush=True)
time.sleep(3)
raise SystemExit(7)
"""
    line = shlex.join([*command(program), "--once"])
    pid, master = pty.fork()
    if pid == 0:  # a shell leads the session, as in a terminal window, and the command runs in it
        os.chdir(tmp_path)
        os.execvp("sh", ["sh", "-c", f"{line}; true"])
    output = b""
    while b"ready" not in output or output[-1:] != b"\n":  # the end of a line is written apart
        output += os.read(master, 1 << 16)
    os.close(master)
    os.waitpid(pid, 0)
    end = time.monotonic() + 60
    while (meta := RunReader(folder).meta)["state"] == "running":
        assert time.monotonic() < end
        time.sleep(0.05)
    assert meta["exit_code"] == 7
    assert [alarm.step for alarm in RunReader(folder).alarms()] == [2]


def test_of_what_a_slow_reader_has_yet_to_take_at_the_end_every_step_is_recorded(
    command: Command, tmp_path: Path, folder: Path
) -> None:
    program = """
for step in range(1, 6001):
    print(f"step:{step} - actor/grad_norm:{0.5 + step % 7 / 50} - {'x' * 60}")
"""
    process = subprocess.Popen(command(program), stdout=subprocess.PIPE, cwd=tmp_path)
    assert process.stdout
    output = b""
    while data := os.read(process.stdout.fileno(), 1 << 13):
        output += data
        time.sleep(0.08)
    assert process.wait(60) == 0
    assert output.count(b"\n") == 6000
    assert len(RunReader(folder).new()) == 6000


def test_what_is_typed_reaches_the_command(command: Command, tmp_path: Path) -> None:
    program = "print('got', input('name? ').upper())"
    output, code = on_a_terminal(command(program), tmp_path, [(b"name?", b"ada\r")])
    assert b"got ADA\r\n" in output
    assert code == 0


RESIZED = """
import os, signal, sys, time
signal.signal(signal.SIGWINCH, lambda *_: print("now", *os.get_terminal_size(), flush=True))
print("ready", flush=True)
input()
"""


def test_a_new_window_size_reaches_the_command(command: Command, tmp_path: Path) -> None:
    import fcntl
    import struct
    import termios

    pid, master = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        line = command(RESIZED)
        os.execvp(line[0], line)
    output = b""
    while b"now 91 33" not in output:
        output += os.read(master, 1 << 16)
        if b"ready" in output:
            fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 91, 0, 0))
    os.write(master, b"\r")
    os.waitpid(pid, 0)
    os.close(master)


def test_with_output_to_a_file_the_rest_stays_on_the_terminal(
    command: Command, tmp_path: Path
) -> None:
    program = (
        "import os; print(*[os.isatty(n) for n in range(3)]); os.write(2, b'to the terminal\\n')"
    )
    line = ["sh", "-c", '"$@" > out.txt', "sh", *command(program)]
    output, _ = on_a_terminal(line, tmp_path, [])
    assert (tmp_path / "out.txt").read_bytes() == b"True False True\n"
    assert output == b"to the terminal\r\n"


def test_ctrl_z_stops_both_and_continuing_continues_both(command: Command, tmp_path: Path) -> None:
    program = """
import time
print("ready", flush=True)
for tick in range(40):
    time.sleep(0.1)
print("finished", flush=True)
"""
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        line = command(program)
        os.execvp(line[0], line)
    output = b""
    while b"ready" not in output:
        output += os.read(master, 1 << 16)
    os.write(master, b"\x1a")
    _, status = os.waitpid(pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    time.sleep(5)  # longer than the command had left to run
    os.kill(pid, signal.SIGCONT)
    resumed = time.monotonic()
    while b"finished" not in output:
        output += os.read(master, 1 << 16)
    assert time.monotonic() - resumed > 2
    assert os.waitpid(pid, 0)[1] == 0
    os.close(master)


@pytest.mark.parametrize("name", ["TERM", "USR1"])
def test_a_signal_while_we_still_write_does_not_cost_the_command_its_exit_code(
    command: Command, tmp_path: Path, name: str
) -> None:
    program = """
for step in range(1, 30):
    print(f"step:{step} - actor/grad_norm:{'nan' if step > 20 else 0.5 + step / 100}")
raise SystemExit(5)
"""
    hook = f"touch {tmp_path / 'paged'}; sleep 5"
    process = subprocess.Popen(command(program, "--hook", hook), cwd=tmp_path)
    end = time.monotonic() + 60
    while not (tmp_path / "paged").exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    time.sleep(1)  # the command has ended by now
    process.send_signal(getattr(signal, f"SIG{name}"))
    assert process.wait(30) == 5


@pytest.mark.parametrize("where", ["hook", "webhook"])
def test_an_alert_target_that_hangs_adds_no_time_to_the_command(
    watch: Watch, tmp_path: Path, hanging_server: str, where: str
) -> None:
    program = f"""
import time
started = time.time()
for step in range(1, 30):
    norm = "nan" if step > 5 else 0.5 + step / 100
    print(f"step:{{step}} - actor/grad_norm:{{norm}}", flush=True)
    time.sleep(0.01)
open({str(tmp_path / "seconds")!r}, "w").write(str(time.time() - started))
"""
    target = ("--hook", "sleep 60") if where == "hook" else ("--webhook", hanging_server)
    done = watch(program, *target)
    assert b"CRITICAL at step 6" in done.stderr
    assert float((tmp_path / "seconds").read_text()) < 0.29 + 1.0


def test_much_output_is_not_held_up(watch: Watch, tmp_path: Path) -> None:
    program = f"""
import sys, time
started = time.time()
for step in range(200_000):
    sys.stdout.write(f"line {{step}} of a program that prints a lot\\n")
sys.stdout.flush()
open({str(tmp_path / "seconds")!r}, "w").write(str(time.time() - started))
"""
    done = watch(program)
    assert done.stdout.count(b"\n") == 200_000
    assert float((tmp_path / "seconds").read_text()) < 5
