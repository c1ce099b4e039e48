"""Damaged run folders: their pages say what is wrong, and the others are not disturbed."""

from __future__ import annotations

from pathlib import Path

import pytest
from app_examples import alarm_at, write_run

pytest.importorskip("dash")

from collapse_lab.dashboards import compare_page, run_page
from collapse_lab.dashboards.app import create_app, open_desk
from collapse_lab.dashboards.comparing import choose, panels
from collapse_lab.dashboards.desk import Desk
from collapse_lab.dashboards.tabs import TABS
from collapse_lab.store import ALARMS, RUN, SEALED

KINDS = ("records", "alarms", "meta")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A whole run, and one for each of KINDS in which that file is damaged."""
    for name in ("whole", *KINDS):
        write_run(tmp_path / name, alarms=[alarm_at(2)])
    (tmp_path / "records" / SEALED).write_bytes(b"PAR1 not really")
    (tmp_path / "alarms" / ALARMS).unlink()
    (tmp_path / "alarms" / ALARMS).mkdir()
    (tmp_path / "meta" / RUN).write_text("[1]")
    return open_desk(tmp_path, judge=False)


@pytest.mark.parametrize("tab", [tab.key for tab in TABS])
def test_every_view_of_a_damaged_run_is_a_page(desk: Desk, tab: str) -> None:
    pages = {name: str(run_page.layout(desk, {"path": name, "tab": tab})) for name in KINDS}
    assert ("The records of this run cannot be read" in pages["records"]) == (tab != "evidence")
    assert "This run cannot be read: " in pages["alarms"]
    assert "cannot be read" not in pages["meta"]


def test_an_open_page_of_a_damaged_run_is_answered(desk: Desk) -> None:
    with create_app(desk).server.test_client() as client:
        for name in KINDS:
            answer = client.get("/_pulse", query_string={"run": name})
            assert answer.status_code == 200


def test_damaged_runs_are_compared_as_far_as_they_can_be_read(desk: Desk) -> None:
    view = {"runs": "whole,records,alarms,meta"}
    chosen = choose(desk, view)
    assert list(chosen.runs) == ["whole", "alarms", "meta"] and chosen.gone == ["records"]
    assert "records" in str(compare_page.layout(desk, view))
    assert panels(desk, view, "light", ["reward/mean"]).keys() == {"reward/mean"}
