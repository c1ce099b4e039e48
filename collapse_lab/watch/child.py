"""The watched command: started unchanged, on a pseudo-terminal where it would have had a terminal.

Each of its three standard streams that is a terminal stays one; the others stay what they are:
standard input is handed down untouched, output goes through a pipe of its own, or through one where
both go to the same place, whose order they then keep. So a progress bar still sees a terminal of
the right size, and a redirected stream is byte for byte what the command wrote.

The command leads its own process group (its own session on a pseudo-terminal). What a person or
a scheduler sends to us or to our group therefore reaches it once: through us.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os
import pty
import signal
import struct
import subprocess
import termios
import tty
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from collapse_lab.watch.family import PROC, descendants, heedful, kill

STDOUT, STDERR = 1, 2
PIPE_BYTES = 1 << 20
FORWARDED = tuple(
    signal.Signals[f"SIG{name}"] for name in ("INT", "TERM", "HUP", "QUIT", "USR1", "USR2")
)
ON_REQUEST = frozenset((signal.SIGUSR1, signal.SIGUSR2))
TO_THE_COMMAND = ON_REQUEST | {signal.SIGTERM}
"""What is sent to one process, to end it or to have it save: its helpers (workers that load data,
servers) would die of it before it has saved. A terminal sends the others to a whole group."""
_WINDOW = struct.Struct("HHHH")


@dataclass(slots=True)
class Streams:
    """Our ends and the command's ends of its standard streams, made before it is started.

    `sources` maps each descriptor that we read to the one of ours that it is copied to.
    """

    sources: dict[int, int] = field(default_factory=dict[int, int])
    theirs: dict[int, int | None] = field(default_factory=dict[int, int | None])
    terminal: Terminal | None = None

    @classmethod
    def like_ours(cls) -> Streams:
        """Mirrors which of our standard streams are terminals."""
        streams = cls()
        terminals = [number for number in (STDOUT, STDERR, 0) if os.isatty(number)]
        if terminals:
            streams.terminal = Terminal(
                terminals[0], typed=0 in terminals, alone={STDOUT, STDERR} <= set(terminals)
            )
            streams.sources[streams.terminal.master] = terminals[0]
        for number in (0, STDOUT, STDERR):
            if number in terminals and streams.terminal:
                streams.theirs[number] = streams.terminal.slave
            elif number == 0:
                streams.theirs[number] = None
            elif number == STDOUT and os.path.sameopenfile(STDOUT, STDERR):
                reading, writing = roomy_pipe()
                streams.sources[reading] = STDERR
                streams.theirs |= {STDOUT: writing, STDERR: writing}
                break
            else:
                reading, writing = roomy_pipe()
                streams.sources[reading] = number
                streams.theirs[number] = writing
        return streams

    def close_theirs(self) -> None:
        """Closes the command's ends on our side, so that the end of its output is seen."""
        for descriptor in {end for end in self.theirs.values() if end is not None}:
            os.close(descriptor)
        self.theirs.clear()


class Terminal:
    """A pseudo-terminal between the command and the terminal that we were started on.

    Only one of the two may translate what is typed and what is printed. In the foreground with a
    keyboard that is the inner one: the outer is set raw, and Ctrl-C is a byte that becomes a
    signal on the command's own terminal. Otherwise the outer one keeps its settings, and the
    inner one passes output through as it is. So it does also where output does not go to the
    terminal `alone`: what it is piped into prints there, too, and needs its settings.
    """

    def __init__(self, outer: int, typed: bool, alone: bool) -> None:
        self.outer = outer
        self.master, self.slave = pty.openpty()
        self._settings = termios.tcgetattr(outer)
        self._raw = typed and _in_foreground()
        self.prints_raw = self._raw and alone
        inner = termios.tcgetattr(outer)
        if not self.prints_raw:
            inner[1] &= ~termios.OPOST
        termios.tcsetattr(self.slave, termios.TCSANOW, inner)
        self.resize()

    @property
    def reads_keyboard(self) -> bool:
        """Whether what is typed is ours to pass on; never while we are in the background."""
        return self._raw and _in_foreground()

    def resize(self) -> None:
        """Gives the inner terminal the outer one's size; the kernel tells the command."""
        with contextlib.suppress(OSError):  # the outer one was closed: then we are continued, too
            size = fcntl.ioctl(self.outer, termios.TIOCGWINSZ, bytes(_WINDOW.size))
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)

    def enter(self) -> None:
        """Takes over the outer terminal: its size, and raw input if that is how we run."""
        self.resize()
        if self.reads_keyboard:
            tty.setraw(self.outer, termios.TCSADRAIN)
            if not self.prints_raw:
                settings = termios.tcgetattr(self.outer)
                settings[1] = self._settings[1]
                termios.tcsetattr(self.outer, termios.TCSADRAIN, settings)

    def leave(self) -> None:
        """Gives the outer terminal back, unless we are in the background and it is not ours."""
        if self.reads_keyboard:
            self.restore()

    def restore(self) -> None:
        """Gives the outer terminal its settings back, whoever has it now."""
        if self._raw:
            with contextlib.suppress(termios.error):  # it was closed
                termios.tcsetattr(self.outer, termios.TCSADRAIN, self._settings)

    def suspends(self, typed: bytes) -> bool:
        """Whether these bytes hold a Ctrl-Z that would suspend.

        The command leads a session of its own, where the kernel ignores it: it is left to us.
        """
        local, special = (termios.tcgetattr(self.master)[index] for index in (3, 6))
        return bool(local & termios.ISIG) and special[termios.VSUSP] in typed


class Child:
    """The running command."""

    def __init__(
        self, command: Sequence[str], streams: Streams, environment: Mapping[str, str]
    ) -> None:
        """Raises OSError when the command cannot be started."""
        terminal = streams.terminal
        # else a command that redirects all of its streams would close its terminal, and die of that
        self._held = os.dup(terminal.slave) if terminal else None
        start = functools.partial(
            subprocess.Popen,
            stdin=streams.theirs[0],
            stdout=streams.theirs[STDOUT],
            stderr=streams.theirs[STDERR],
            env=dict(environment),
            close_fds=False,  # ours close themselves; those that the command inherits are its own
            start_new_session=terminal is not None,
            process_group=None if terminal else 0,
            preexec_fn=(lambda: _control(terminal.slave)) if terminal else None,
        )
        try:
            self._process = start(list(command))
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            self._process = start(["/bin/sh", *command])  # a script without #!, as for shells
        self.pid = self._process.pid
        self._sent: set[int] = set()
        self._stop = signal.SIGSTOP if terminal else signal.SIGTSTP
        streams.close_theirs()

    def poll(self) -> int | None:
        """The exit code as a shell gives it (128 + n for signal n), None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        if self._held is not None:
            os.close(self._held)
            self._held = None
        if -code in self._sent:  # a launch script, which heeds no signal, leaves its training here
            self._sent.clear()
            signal_group(self.pid, -code)
        return 128 - code if code < 0 else code

    @property
    def ended(self) -> bool:
        """Whether `poll` has given its exit code."""
        return self._process.returncode is not None

    def send(self, number: int) -> None:
        """Sends a signal to the command or its process group; nothing when it has ended."""
        if not self.ended:
            if number in TO_THE_COMMAND:
                self._sent.add(number)
            send(self.pid, number)

    def ask(self, number: int) -> bool:
        """Sends a signal that `--on-alarm` names; False when nobody handles it and it was not."""
        return self.ended or ask(self.pid, number)

    def suspend(self) -> None:
        """Stops the command's process group, as Ctrl-Z would."""
        self.send(self._stop)


def roomy_pipe() -> tuple[int, int]:
    """A pipe that holds a megabyte where the system allows it: slack for a moment's delay."""
    reading, writing = os.pipe()
    if resize := getattr(fcntl, "F_SETPIPE_SZ", None):
        with contextlib.suppress(OSError):  # above what this user may have
            fcntl.fcntl(writing, resize, PIPE_BYTES)
    return reading, writing


def send(group: int, number: int) -> None:
    """Sends a signal to a command that leads a process group, or to all of the group; SIGKILL to
    its whole family, of which nobody could take care any more."""
    if number in TO_THE_COMMAND:
        kill(group, number)
        return
    orphans = descendants(group) if number == signal.SIGKILL else []
    signal_group(group, number)
    for orphan in orphans:
        kill(orphan, number)


def ask(group: int, number: int) -> bool:
    """Sends the signal on which a training saves to those of a command's family that handle it:
    it ends everybody else, launchers such as torchrun included. False when nobody does."""
    if number not in ON_REQUEST or not PROC.exists():
        send(group, number)
        return True
    asked = heedful(group, number)
    for one in asked:
        kill(one, number)
    return bool(asked)


def signal_group(group: int, number: int) -> None:
    """Sends a signal to a process group that may have ended."""
    # macOS says PermissionError of a group of which only a zombie is left
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _in_foreground() -> bool:
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:  # the terminal is gone, or is not our session's
        return False


def _control(slave: int) -> None:
    """In the new session, between fork and exec: makes the pseudo-terminal its own."""
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
