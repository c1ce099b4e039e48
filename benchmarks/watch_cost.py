"""What being watched costs a command: its own run time, bare, through `cat` and under watch.

    python -m benchmarks.watch_cost [--repeats 5]

`prints` writes 200,000 lines as fast as it can, the worst case for whoever copies them; `trains`
prints a step every 10 ms and breaks at step 20, and its alert targets never answer. Times are
those that the command measures itself, from its first line to its last; medians.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from collapse_lab.scoring.markdown import table_of

TIMED = """
import os, sys, time
started = time.perf_counter()
{body}
sys.stdout.flush()
open(sys.argv[1], "w").write(str(time.perf_counter() - started))
"""
PRINTS = TIMED.format(
    body="for step in range(200_000): sys.stdout.write(f'line {step} of forty characters\\n')"
)
TRAINS = TIMED.format(
    body="""
for step in range(200):
    norm = "nan" if step >= 20 else 0.5 + step % 7 / 50
    print(f"step:{step} - actor/grad_norm:{norm}", flush=True)
    time.sleep(0.01)
"""
)


def seconds(program: str, around: Sequence[str], behind: str, repeats: int) -> float:
    """Median of what the program says it took, with `around` before its command line and
    `behind` (a shell redirection or pipe) after it."""
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "seconds"
        for number in range(repeats):
            options = [part.format(name=f"run-{number}", root=folder) for part in around]
            line = [*options, sys.executable, "-c", program, str(said)]
            shell = ["sh", "-c", f'"$@" {behind}', "sh", *line]
            subprocess.run(shell, check=True, stderr=subprocess.DEVNULL)
            times.append(float(said.read_text()))
    return statistics.median(times)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--repeats", type=int, default=5)
    repeats = options.parse_args().repeats
    entry = "from collapse_lab.cli import main; main()"
    watch = [sys.executable, "-c", entry, "watch", "--root", "{root}", "--name", "{name}"]
    lines: list[list[str]] = []
    with socket.create_server(("127.0.0.1", 0)) as never_answers:
        webhook = f"http://127.0.0.1:{never_answers.getsockname()[1]}/"
        for program, name, around, behind in (
            (PRINTS, "prints, bare", [], "> /dev/null"),
            (PRINTS, "prints, through cat", [], "| cat > /dev/null"),
            (PRINTS, "prints, watched", [*watch, "--"], "> /dev/null"),
            (TRAINS, "trains, bare", [], "> /dev/null"),
            (TRAINS, "trains, watched", [*watch, "--"], "> /dev/null"),
            (TRAINS, "trains, hook hangs", [*watch, "--hook", "sleep 600", "--"], "> /dev/null"),
            (TRAINS, "trains, webhook hangs", [*watch, "--webhook", webhook, "--"], "> /dev/null"),
        ):
            lines.append([name, f"{seconds(program, around, behind, repeats):.2f}"])
            print(*lines[-1], flush=True)
    print(table_of(("command", "seconds of its own"), lines))


if __name__ == "__main__":
    main()
