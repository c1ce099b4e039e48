"""The foot line of `--follow`."""

from __future__ import annotations

import io

from collapse_lab.watch.status import Status


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_line_is_redrawn_below_what_is_said() -> None:
    terminal = Terminal()
    status = Status(terminal)
    status.say("first")
    status.show("step 1")
    status.show("step 1")
    status.say("alarm")
    status.show("step 2")
    status.close()
    clear = "\r\x1b[K"
    assert terminal.getvalue() == (f"first\n{clear}step 1{clear}alarm\nstep 1{clear}step 2{clear}")


def test_elsewhere_only_what_is_said_is_written() -> None:
    file = io.StringIO()
    status = Status(file)
    status.show("step 1")
    status.say("alarm")
    status.close()
    assert file.getvalue() == "alarm\n"
