from __future__ import annotations

from pathlib import Path

import pytest

from collapse_lab.dashboards.root import Root, UnknownRun
from collapse_lab.store import RECORDS, RunWriter


def run_at(folder: Path) -> Path:
    RunWriter(folder).finish()
    return folder


def test_a_run_in_the_root_is_found_by_its_name(tmp_path: Path) -> None:
    folder = run_at(tmp_path / "runs" / "a run <b>")
    assert Root(tmp_path / "runs").run("a run <b>") == folder


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../outside", "/etc", "one/../../outside", "one\0", "a" * 5000, "nowhere"],
)
def test_a_name_that_leads_elsewhere_is_no_run(tmp_path: Path, name: str) -> None:
    run_at(tmp_path / "outside")
    run_at(tmp_path / "runs" / "one")
    with pytest.raises(UnknownRun):
        Root(tmp_path / "runs").run(name)


def test_a_folder_that_is_a_link_out_of_the_root_is_refused(tmp_path: Path) -> None:
    outside = run_at(tmp_path / "outside")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "link").symlink_to(outside)
    with pytest.raises(UnknownRun):
        Root(tmp_path / "runs").run("link")


def test_a_file_that_is_a_link_out_of_the_root_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not yours")
    folder = run_at(tmp_path / "runs" / "one")
    (folder / RECORDS).unlink()
    (folder / RECORDS).symlink_to(secret)
    with pytest.raises(UnknownRun):
        Root(tmp_path / "runs").run("one")


def test_a_link_within_the_root_is_a_run(tmp_path: Path) -> None:
    folder = run_at(tmp_path / "runs" / "one")
    (tmp_path / "runs" / "best").symlink_to(folder)
    assert Root(tmp_path / "runs").run("best").name == "best"
