"""The wheel without extras, in an environment of its own, answers and stays light."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "transformers", "dash", "plotly")
LOG = "\n".join(
    f"step:{step} - actor/grad_norm:0.5 - actor/entropy:{2 - step / 50:.3f} - "
    f"critic/score/mean:{step / 40:.3f}"
    for step in range(1, 31)
)


@pytest.fixture(scope="module")
def slim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment that holds the wheel and what it declares, nothing else."""
    folder = tmp_path_factory.mktemp("slim")
    uv = Path(sys.executable).with_name("uv")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "dist"]
    subprocess.run(build, cwd=ROOT, check=True)
    subprocess.run([uv, "venv", "--quiet", "-p", sys.executable, folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    wheel = next((folder / "dist").glob("*.whl"))
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, wheel], check=True)
    return python


def collapse_lab(python: Path, *arguments: object, cwd: Path) -> str:
    """Runs the installed command away from the checkout; fails when it loads a heavy module."""
    program = (
        "import sys\n"
        "from collapse_lab.cli import main\n"
        "code = 0\n"
        "try: main(prog_name='collapse-lab')\n"
        "except SystemExit as stop: code = stop.code\n"
        f"heavy = sorted(set(sys.modules) & set({HEAVY!r}))\n"
        "sys.exit(f'loaded {heavy}' if heavy else code)\n"
    )
    done = subprocess.run(
        [python, "-c", program, *map(str, arguments)], cwd=cwd, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_help_names_every_command(slim: Path, tmp_path: Path) -> None:
    text = collapse_lab(slim, "--help", cwd=tmp_path)
    assert all(command in text for command in ("demo", "watch", "replay", "label", "runs"))


def test_replay_reads_a_small_log(slim: Path, tmp_path: Path) -> None:
    (tmp_path / "train.log").write_text(LOG + "\n")
    answer = json.loads(collapse_lab(slim, "replay", "train.log", "--json", cwd=tmp_path))
    assert answer["framework"] == "verl"
    assert answer["steps"] == 30
    assert {"optim/grad_norm", "policy/entropy"} <= set(answer["signals"])


def test_label_judges_a_small_log(slim: Path, tmp_path: Path) -> None:
    (tmp_path / "train.log").write_text(LOG + "\n")
    answer = json.loads(collapse_lab(slim, "label", "train.log", "--json", cwd=tmp_path))
    assert {"class", "onset", "cross"} <= set(answer)
    assert answer["onset"] is None


def test_the_demo_plays_from_the_wheel(slim: Path, tmp_path: Path) -> None:
    assert "alarm" in collapse_lab(slim, "demo", "--short", cwd=tmp_path).lower()
