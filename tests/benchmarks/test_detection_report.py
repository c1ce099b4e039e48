"""The measured half of docs/detection.md, from runs whose scores are worked out by hand."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks import (
    detection_bars,
    detection_curves,
    detection_gallery,
    detection_report,
    detection_tables,
    marked,
)
from benchmarks.corpus import LabelledLog
from benchmarks.detection_tables import Judged
from benchmarks.judge import Judgement
from collapse_lab.calibration.conformal import NAMES
from collapse_lab.corpus import CorpusRun
from collapse_lab.labels import Kind, Label, label_run
from collapse_lab.records import Record, Severity
from collapse_lab.scorecard import JudgedRun

LENGTH = 100


def judged(
    kind: Kind,
    *alarms: int,
    onset: int | None = None,
    name: str = "run",
    algorithm: str = "grpo",
    failure: str = "",
    detector: str = "reward-drop",
    unseen: bool = False,
) -> Judged:
    """A run of hundred records that an alarm or two were raised on."""
    records = [Record(step, values={"reward/mean": 1.0 + step % 3}) for step in range(LENGTH)]
    facts = {
        "framework": "trl",
        "task": "sort",
        "algorithm": algorithm,
        "failure": failure or kind,
        "setting": "unknown",
    }
    cross = None if onset is None else onset + 4
    raised: list[tuple[int, Severity, str]] = [(point, "alarm", detector) for point in alarms]
    traces = {detector: np.linspace(0, 2, LENGTH) for detector in NAMES}
    run = CorpusRun(name, records, Label(kind, onset, cross), facts, algorithm)
    chances = {"hazard": {10: np.full(LENGTH, 0.15)}}
    return Judged(
        run,
        JudgedRun(
            name, kind, algorithm, facts, range(LENGTH), onset, cross, raised, traces, chances
        ),
        unseen,
    )


def corpus() -> list[Judged]:
    return [
        judged("healthy"),
        judged("healthy_with_dip", 30, name="dip"),
        judged("collapse", 55, onset=60, name="foreseen", failure="lag"),
        judged("collapse", 70, onset=60, name="ten late", failure="lag"),
        judged("collapse", 71, onset=60, name="too late", failure="lag"),
        judged("collapse", 20, onset=60, name="premature", algorithm="sapo", failure="format"),
        judged("collapse", onset=15, name="never", algorithm="sapo", failure="format"),
        judged("suspect_censored", 50, name="cut short"),
    ]


def test_the_pages_have_a_place_for_every_block() -> None:
    blocks = {*detection_tables.blocks(corpus()), "bars", "corpus", "gallery", "real-logs"}
    pages = {path: path.read_text() for path in detection_report.PAGES}
    marked.fill(pages, dict.fromkeys(blocks, ""))


def test_a_value_of_a_fact_has_three_counts_a_tier() -> None:
    lines = detection_tables.by_fact([one.found for one in corpus()], "algorithm").splitlines()
    cells = {line.split("|")[1].strip(): line for line in lines}
    # healthy runs alarmed on, foreseen, by ten records after the onset
    assert "| 6 | 0/2, 0/3, 0/3 | 1/2, 1/3, 2/3 |" in cells["grpo"]
    assert "| 2 | -, 0/2, 0/2 | -, 0/2, 0/2 |" in cells["sapo"]


def test_what_cannot_be_done_is_said_in_numbers() -> None:
    text = detection_tables.blocks(corpus())["cannot"]
    assert "Of 5 collapses the alarm tier foresees 1/5, 20 %" in text
    assert "alarmed on 2/5" in text and "never on 1/5" in text
    assert "- 1 of the 5 onsets come in the first 20 steps" in text
    assert "caught none by 10 records after the onset (collapses): format (2)." in text
    assert "1/2, 50 % [9, 91] of the healthy runs, dips that recover (1/1" in text


def test_what_was_asked_stands_beside_what_is_so() -> None:
    text = detection_bars.of_corpus([one.found for one in corpus()])
    assert "| at most 5 % of healthy runs alarmed on | 1/2, 50 % [9, 91] | no |" in text
    assert "| at least 70 % foreseen | 1/5, 20 % [4, 62] | no |" in text
    assert "of the steps before the onset | 8 % | no |" in text  # five of sixty
    met = [judged("healthy") for _ in range(59)] + [judged("collapse", 50, onset=60)]
    assert "no" not in _last_cells(detection_bars.of_corpus([one.found for one in met]))
    unknown = detection_bars.of_corpus([judged("healthy").found])
    assert "| at least 70 % foreseen | - | no |" in unknown


def test_the_bars_for_logs_are_counted_by_their_collapse_point() -> None:
    records = [Record(step) for step in range(LENGTH)]
    logs = [
        LabelledLog(str(at), "a/b", "llm", verdict, records, at, None, "", ())
        for verdict, at in (("HEALTHY", None), ("COLLAPSED", 50), ("COLLAPSED", 40))
    ]
    alarms = ([], [50], [50])  # the last one ten records late
    found = [Judgement({"collapse-lab, alarm or above": some}, [], {}) for some in alarms]
    assert _last_cells(detection_bars.of_logs(logs, found)) == ["yes", "no", "yes"]


def _last_cells(table: str) -> list[str]:
    return [line.split("|")[-2].strip() for line in table.splitlines()[2:]]


def test_rows_of_what_has_been_trained_on_these_runs_are_marked() -> None:
    blocks = detection_tables.blocks(corpus())
    for name in set(NAMES) - set(detection_tables.LEARNED):
        assert (
            f"| {name} |" in blocks["ranks"] and f"| all: {name} alone |" in blocks["leave-one-out"]
        )
    for name in set(NAMES) & set(detection_tables.LEARNED):
        assert f"| {name} (trained on these) |" in blocks["ranks"]
        assert f"| {name} (trained on these) |" in blocks["comparison"]
        assert f"| all: {name} alone (trained on these) |" in blocks["leave-one-out"]


def test_chances_are_told_apart_for_runs_that_the_model_cannot_know() -> None:
    kept = [judged("healthy", unseen=True), judged("collapse", onset=60, unseen=True)]
    text = detection_tables.chances([*corpus(), *kept])
    first, second = text.split("Runs that may have been used for")
    assert "Runs kept from the fit of the model, 2 with 1 collapses:" in first
    # 90 records of the healthy run can be told, and 10 of the other's 60 are cases: a twelfth
    assert "| hazard | 10 | 100 % | 0.081 | 0.076 | -0.06 [" in first
    assert "| hazard | 10 to 20 % | 8 % [" in first
    assert "| 15 %, 8 % | 0.081 (0.076) |" in first
    assert "the fit of the model, 7 with 5 collapses:" in second


def test_the_gallery_shows_what_was_missed_and_every_false_alarm() -> None:
    missed, false = detection_gallery.galleries(corpus())
    assert (missed.shown, missed.of) == (3, 3) and (false.shown, false.of) == (1, 1)
    for name in ("too late", "premature", "never"):
        assert f">{name}<" in missed.svg
    for name in ("foreseen", "ten late", "cut short"):
        assert f">{name}<" not in missed.svg
    assert ">dip<" in false.svg
    assert "Collapses missed by the alarm tier: 3.\n" in detection_gallery.text([missed])


def test_a_cell_says_how_the_alarm_missed() -> None:
    captions = {one.found.name: detection_gallery.caption(one) for one in corpus()}
    assert captions["too late"] == ("lag", "reward-drop 11 late")
    assert captions["premature"] == ("format", "reward-drop 40 before")
    assert captions["never"] == ("format", "never alarmed on")
    assert captions["dip"] == ("healthy with dip", "reward-drop")


def test_a_run_whose_reward_hides_its_fall_is_drawn_by_what_labelled_it() -> None:
    success = [0.1 + 0.8 * min(step / 30, 1) * (step < 60) for step in range(LENGTH)]
    records = [
        Record(step, values={"reward/mean": step, "reward/accuracy": share})
        for step, share in enumerate(success)
    ]
    label = label_run([Record(step, values={"reward/mean": x}) for step, x in enumerate(success)])
    assert label.kind == "collapse"
    hacked = CorpusRun("hacked", records, label, {}, "g")
    assert detection_gallery.labelled_by(hacked) == "reward/accuracy"
    honest = CorpusRun("honest", records, Label("healthy"), {}, "g")
    assert detection_gallery.labelled_by(honest) == "reward/mean"


def test_of_too_many_failures_the_gallery_draws_some_of_every_kin_and_says_so() -> None:
    many = [
        judged("collapse", onset=60, name=f"{failure} {seed:03}", failure=failure)
        for failure in ("format", "lag")
        for seed in range(90)
    ]
    missed, _ = detection_gallery.galleries(many)
    assert (missed.shown, missed.of) == (detection_gallery.MOST, 180)
    assert missed.svg.count(">format<") == missed.svg.count(">lag<") == 30
    assert "180, of which 60 are drawn." in detection_gallery.text([missed])


def test_a_curve_rises_from_the_foreseen_to_those_caught_late() -> None:
    runs = [one.found for one in corpus() if one.found.kind != "suspect_censored"]
    tier = detection_curves.by_tier(runs)["alarm or above"]
    assert [tier[lead] for lead in (6, 4, 0, -10, -12)] == [0, 0.2, 0.2, 0.4, 0.6]
    dealt = detection_curves.by_tier(runs)["alarm or above, dealt at random"]
    assert 0 < dealt[-12] < 0.6


def test_the_drawings_are_whole_documents() -> None:
    drawings = [drawing.svg for drawing in detection_gallery.galleries(corpus())]
    for svg in (*drawings, detection_curves.draw(corpus())):
        assert ElementTree.fromstring(svg).tag.endswith("svg")
        assert "nan" not in svg
