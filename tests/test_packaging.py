"""What people install: one top-level name, nothing hollow, nothing missing."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINKED = ("probes", "trainers", "dashboards")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", folder], cwd=ROOT, check=True)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(next(built.glob("*.whl")))


def test_the_wheel_owns_one_top_level_name(wheel: zipfile.ZipFile) -> None:
    top = {name.split("/")[0] for name in wheel.namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == {"collapse_lab"}


@pytest.mark.parametrize("folder", LINKED)
def test_a_linked_folder_is_whole_in_the_wheel(wheel: zipfile.ZipFile, folder: str) -> None:
    assert (ROOT / "collapse_lab" / folder).readlink() == Path("..") / folder
    ours = {
        f"collapse_lab/{path.relative_to(ROOT)}"
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert f"collapse_lab/{folder}/__init__.py" in ours
    assert ours <= set(wheel.namelist())


def test_the_wheel_carries_the_typing_marker_the_licence_and_the_recorded_run(
    wheel: zipfile.ZipFile,
) -> None:
    names = set(wheel.namelist())
    assert "collapse_lab/py.typed" in names
    assert "collapse_lab/recorded/collapse/records.jsonl" in names
    licence = next(name for name in names if name.endswith("licenses/LICENSE"))
    assert wheel.read(licence) == (ROOT / "LICENSE").read_bytes()


def test_the_source_archive_holds_real_files_where_the_tree_holds_links(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        members = {member.name.split("/", 1)[1]: member for member in archive.getmembers()}
    for folder in LINKED:
        assert members[f"collapse_lab/{folder}/__init__.py"].isfile()
    assert not any(member.issym() or member.islnk() for member in members.values())


def test_the_licence_is_the_plain_text_of_apache_2() -> None:
    # as published at https://www.apache.org/licenses/LICENSE-2.0.txt
    published = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == published
