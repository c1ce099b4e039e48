"""A corpus, a line a run: the recorded demo, whose ends are in data/README.md."""

from __future__ import annotations

from pathlib import Path

from benchmarks.cache import ROOT
from benchmarks.each_run import HEADINGS, rows
from collapse_lab.corpus import CorpusRun, read_corpus
from collapse_lab.detectors.panel import Panel


def first_alarm(folder: Path) -> str:
    """Records of the demo are steps 1, 2, ..."""
    (run,) = (run for run in read_corpus([folder]) if isinstance(run, CorpusRun))
    panel = Panel(run.planned_steps)
    raised = (alarm for record in run.records for alarm in panel.update(record))
    return next(f"{one.step}, {one.detector}" for one in raised if one.severity != "watch")


def test_a_row_tells_when_the_reward_fell_and_when_the_detectors_spoke():
    said = {row[0]: dict(zip(HEADINGS, row, strict=True)) for row in rows([ROOT / "data" / "demo"])}
    collapse, healthy = said["collapse"], said["healthy"]
    assert (collapse["label"], collapse["onset"], collapse["half lost"]) == (
        "collapse",
        "126",
        "132",
    )
    assert collapse["first alarm"] == first_alarm(ROOT / "data" / "demo" / "collapse")
    assert (healthy["label"], healthy["onset"], healthy["first alarm"]) == ("healthy", "", "")
