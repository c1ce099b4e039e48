"""What `watch` refuses before anything has started, and that the command line is quick."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from collapse_lab.cli import main
from collapse_lab.store import RunReader


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "give a command after --, or --follow PATH"),
        (["--follow", "log", "--", "true"], "give a command after --, or --follow PATH"),
        (["--on-alarm", "explode", "--", "true"], "none, stop, signal:NAME, touch:FILE"),
        (["--on-alarm", "stop", "--follow", "log"], "needs a command"),
        (["--name", "a", "--resume", "b", "--", "true"], "give one of the two"),
        (["--resume", "nowhere", "--", "true"], "there is no run nowhere to resume"),
        (["--alert-min", "loud", "--", "true"], "'loud' is not one of"),
        (["--hook", "critical=", "--", "true"], "--hook is empty"),
        (["--name", "a/b", "--", "true"], "'a/b' is no name of a folder"),
        (["--name", "..", "--", "true"], "'..' is no name of a folder"),
    ],
)
def test_a_mistake_on_the_command_line_is_told_with_exit_code_2(
    tmp_path: Path, options: list[str], told: str
) -> None:
    result = CliRunner().invoke(main, ["watch", "--root", str(tmp_path / "runs"), *options])
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())
    assert not (tmp_path / "runs").exists()


def test_a_webhook_that_is_no_address_is_refused_under_follow_too(tmp_path: Path) -> None:
    options = ["--root", str(tmp_path / "runs"), "--follow", "log", "--webhook", "example.com"]
    result = CliRunner().invoke(main, ["watch", *options])
    assert result.exit_code == 2
    assert "'example.com' is not an http or https address" in result.stderr
    assert not (tmp_path / "runs").exists()


def test_options_after_the_command_are_the_commands(tmp_path: Path) -> None:
    program = "from collapse_lab.cli import main; main()"
    line = [sys.executable, "-c", program, "watch", "--root", str(tmp_path), "echo", "--name", "x"]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.stdout == "--name x\n"
    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith("echo-")
    assert RunReader(folder).meta["command"] == ["echo", "--name", "x"]


def test_help_imports_neither_numpy_nor_polars() -> None:
    program = (
        "import sys\n"
        "from collapse_lab.cli import main\n"
        "try: main(['watch', '--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(str(sorted({'numpy', 'polars', 'apprise', 'torch'} & set(sys.modules))))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "--on-alarm" in done.stdout
    assert done.stderr == "[]\n"
