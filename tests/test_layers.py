"""Who may import whom. The rows stand in pyproject.toml; these tests see that they bind."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "transformers", "dash", "plotly", "wandb", "tensorboard", "apprise", "scipy"}


def test_data_flows_one_way() -> None:
    lint = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert lint.returncode == 0, lint.stdout


def test_the_forbidden_contract_covers_every_module_of_the_spine() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers, forbidden = contracts["contracts"]
    named = {
        name.strip(" ()") for row in layers["layers"] for name in row.replace("|", " ").split()
    }
    # these reach torch or the app on purpose, inside functions
    ends = {"cli", "trainers", "dashboards", "integrations", "probes"}
    modules = {path.stem for path in (ROOT / "collapse_lab").iterdir() if path.stem in named}
    listed = {name.removeprefix("collapse_lab.") for name in forbidden["source_modules"]}
    assert listed == modules - ends


def test_importing_the_package_and_its_command_line_loads_nothing_heavy() -> None:
    program = "import sys, collapse_lab, collapse_lab.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not HEAVY & {name.split(".")[0] for name in loaded}
