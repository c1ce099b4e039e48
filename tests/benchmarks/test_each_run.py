"""A corpus, a line a run: the recorded demo, whose ends are in data/README.md."""

from __future__ import annotations

from benchmarks.cache import ROOT
from benchmarks.each_run import HEADINGS, rows


def test_a_row_tells_when_the_reward_fell_and_when_the_detectors_spoke():
    said = {row[0]: dict(zip(HEADINGS, row, strict=True)) for row in rows([ROOT / "data" / "demo"])}
    collapse, healthy = said["collapse"], said["healthy"]
    assert (collapse["label"], collapse["onset"], collapse["half lost"]) == (
        "collapse",
        "126",
        "132",
    )
    alarmed, detector = collapse["first alarm"].split(", ")
    assert int(alarmed) <= 132
    assert detector
    assert (healthy["label"], healthy["onset"], healthy["first alarm"]) == ("healthy", "", "")
