"""`report`: one file about one run."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from collapse_lab.cli import main

COLLAPSE = Path(__file__).parents[2] / "data" / "demo" / "collapse"


def report(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["report", *map(str, arguments)])


def test_the_suffix_of_out_decides_the_form_unless_format_does(tmp_path: Path) -> None:
    page, text, odd = (tmp_path / name for name in ("a.html", "a.md", "a.txt"))
    assert report(COLLAPSE, "--out", page).stdout == f"The report: {page}\n"
    assert page.read_text().startswith("<!doctype html>")
    report(COLLAPSE, "--out", text)
    assert text.read_text().startswith("# Alarm at step ")
    report(COLLAPSE, "--out", odd, "--format", "markdown")
    assert odd.read_text() == text.read_text()


def test_the_file_is_named_after_the_run_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert report(COLLAPSE).stdout == "The report: collapse-report.html\n"
    assert [path.name for path in tmp_path.iterdir()] == ["collapse-report.html"]


def test_a_dash_writes_to_standard_output() -> None:
    result = report(COLLAPSE, "--out", "-", "--format", "markdown")
    assert result.stdout.startswith("# Alarm at step ")


def test_what_cannot_be_read_or_written_is_told_without_a_traceback(tmp_path: Path) -> None:
    missing = report(tmp_path / "none")
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert f"{tmp_path / 'none'} does not exist" in missing.stderr
    unwritable = report(COLLAPSE, "--out", tmp_path / "no" / "a.html")
    assert unwritable.exit_code == 2 and "--out" in unwritable.stderr
