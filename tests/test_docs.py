"""The docs cannot lie: generated pages match the code, and everything with a name is found."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import click
import pytest

from collapse_lab.cli import main
from collapse_lab.detectors.edetector import ALPHA, BETS, Bet
from collapse_lab.detectors.panel import DETECTORS
from collapse_lab.readers import FILE_FORMATS, LINE_FORMATS
from collapse_lab.readers.aliases import ALIASES
from collapse_lab.signals import SIGNALS

ROOT = Path(__file__).parents[1]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "data").glob("*.md")]
}


def _generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", _generate().PAGES)
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert PAGES[f"docs/{name}"] == _generate().PAGES[name](), "run `make docs`"


def test_every_signal_format_framework_and_detector_has_its_place_in_the_docs() -> None:
    places = {
        "docs/signals.md": SIGNALS,
        "docs/formats.md": [*LINE_FORMATS, *FILE_FORMATS, *(ALIASES.keys() - {"collapse-lab"})],
        "docs/detectors.md": DETECTORS,
    }
    for page, names in places.items():
        assert [name for name in names if name not in PAGES[page]] == []


def test_every_command_and_every_option_has_help() -> None:
    assert isinstance(main, click.Group)
    for name, command in main.commands.items():
        assert command.help, name
        assert f"## collapse-lab {name}" in PAGES["docs/cli.md"]
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, f"{name} {option.opts[0]}"


def test_the_readme_shows_each_command() -> None:
    assert isinstance(main, click.Group)
    missing = [name for name in main.commands if f"collapse-lab {name}" not in PAGES["README.md"]]
    assert missing == []


@pytest.mark.parametrize("page", PAGES)
def test_a_relative_link_leads_to_a_file(page: str) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", PAGES[page]):
        assert (ROOT / page).parent.joinpath(target).exists(), target


def test_the_stated_assumption_is_the_one_that_the_alarm_bets_on() -> None:
    row = r"\| (\d)(?:nd|rd) family > ([\d.]+) \|.*\| (\d+) % \|"
    stated = [
        Bet(int(rank), float(level), int(chance) / 100)
        for rank, level, chance in re.findall(row, PAGES["docs/detection.md"])
    ]
    assert tuple(stated) == BETS
    assert f"alpha = {100 * ALPHA:.0f} % of healthy runs" in PAGES["docs/detection.md"]
