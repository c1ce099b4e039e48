"""What the compare page draws for an address, from run folders."""

from __future__ import annotations

from pathlib import Path

from app_examples import alarm_at, collapsing, write_run

from collapse_lab.dashboards.app import open_desk
from collapse_lab.dashboards.comparing import (
    choose,
    differing,
    grouping,
    panels,
    reference_of,
    shown_signals,
    state,
)

REWARD = "reward/mean"


def traces(figure: dict, kind: str) -> list[dict]:
    """Of a figure the lines of runs ("lines"), the filled areas ("none") or the "markers"."""
    return [trace for trace in figure["data"] if trace["mode"].split("+")[0] == kind]


def test_runs_that_are_gone_or_lie_outside_are_told_and_never_read(tmp_path: Path) -> None:
    write_run(tmp_path / "outside")
    write_run(tmp_path / "root" / "a")
    chosen = choose(open_desk(tmp_path / "root", judge=False), {"runs": "a,nope,../outside"})
    assert (list(chosen.runs), chosen.gone) == (["a"], ["nope", "../outside"])


def test_aligned_at_the_alarm_runs_meet_at_zero_and_one_without_is_left_out(
    tmp_path: Path,
) -> None:
    write_run(tmp_path / "a", collapsing(), [alarm_at(30)])
    write_run(tmp_path / "b", collapsing(), [alarm_at(50)])
    write_run(tmp_path / "quiet", collapsing())
    desk = open_desk(tmp_path, judge=False)
    view = {"runs": "a,b,quiet", "align": "alarm"}
    chosen = choose(desk, view)
    assert chosen.zero == {"a": 30, "b": 50}
    assert chosen.drawn == ["a", "b"]
    figure = panels(desk, view, "light", [REWARD])[REWARD]
    low, high = figure["layout"]["xaxis"]["range"]
    assert low < -50 and high > 29  # b begins 50 steps before its alarm, a ends 29 after its own
    alarms = [trace for trace in traces(figure, "markers") if trace["x"] == [0.0]]
    assert len(alarms) == 2
    assert figure["layout"]["shapes"][0]["x0"] == 0


def test_aligned_at_the_onset_a_labelled_fall_is_zero(tmp_path: Path) -> None:
    write_run(tmp_path / "a", collapsing())
    desk = open_desk(tmp_path, judge=False)
    chosen = choose(desk, {"runs": "a", "align": "onset"})
    assert chosen.zero == {"a": chosen.runs["a"].onset}
    onset = chosen.runs["a"].onset
    assert onset is not None and 38 <= onset <= 40


def test_a_setting_groups_runs_and_secrets_are_not_among_them(tmp_path: Path) -> None:
    for name, lr, token in (("a", 1e-5, "x"), ("b", 1e-5, "y"), ("c", 1e-6, "z")):
        write_run(tmp_path / name, config={"lr": lr, "hub": {"token": token}, "same": 1})
    desk = open_desk(tmp_path, judge=False)
    view = {"runs": "a,b,c", "by": "lr"}
    chosen = choose(desk, view)
    assert differing(desk, chosen) == {"lr": ["1e-05", "1e-05", "1e-06"]}
    assert grouping(desk, chosen, view) == {"1e-06": ["c"], "1e-05": ["a", "b"]}
    assert grouping(desk, chosen, {"by": "same"}) == {}
    figure = panels(desk, view, "light", [REWARD])[REWARD]
    assert len(traces(figure, "lines")) == len(traces(figure, "none")) == 2


def test_a_group_none_of_whose_runs_can_be_aligned_is_not_drawn(tmp_path: Path) -> None:
    write_run(tmp_path / "a", collapsing(), [alarm_at(30)], config={"lr": 1})
    write_run(tmp_path / "quiet", collapsing(), config={"lr": 2})
    desk = open_desk(tmp_path, judge=False)
    view = {"runs": "a,quiet", "by": "lr", "align": "alarm"}
    figure = panels(desk, view, "light", [REWARD])[REWARD]
    assert len(traces(figure, "lines")) == len(traces(figure, "none")) == 1


def test_every_run_has_a_line_and_its_name_is_no_markup(tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>"
    write_run(tmp_path / name)
    write_run(tmp_path / "b")
    desk = open_desk(tmp_path, judge=False)
    figure = panels(desk, {"runs": f"{name},b"}, "dark", [REWARD])[REWARD]
    first, second = traces(figure, "lines")
    assert "&lt;img" in first["hovertemplate"] and "<img" not in str(figure)
    assert first["line"]["color"] != second["line"]["color"]


def test_signals_are_those_of_the_address_or_a_reward_and_what_moved(tmp_path: Path) -> None:
    write_run(tmp_path / "a", alarms=[alarm_at(2)])
    desk = open_desk(tmp_path, judge=False)
    chosen = choose(desk, {"runs": "a"})
    assert shown_signals(desk, chosen, {}) == [REWARD, "policy/entropy"]
    assert shown_signals(desk, chosen, {"signals": "policy/entropy,none"}) == ["policy/entropy"]


def test_the_healthy_runs_behind_are_of_the_corpus_or_of_the_same_task(tmp_path: Path) -> None:
    rising = [step / 60 for step in range(60)]
    for name in ("one", "two", "three", "four"):
        write_run(tmp_path / "corpus" / name, rising)
        write_run(tmp_path / "root" / name, rising, config={"task": "maths"})
    write_run(tmp_path / "root" / "other", rising, config={"task": "web"})
    write_run(tmp_path / "root" / "fallen", collapsing(), config={"task": "maths"})
    desk = open_desk(tmp_path / "root", judge=False, reference=tmp_path / "corpus")
    for row in desk.index.rows():
        desk.index.summary(row.name)
    chosen = choose(desk, {"runs": "fallen,one"})
    here = reference_of(desk, {"ref": "quiet"}, chosen)
    assert {name for _, name in here} == {"two", "three", "four"}
    corpus = reference_of(desk, {"ref": "corpus"}, chosen)
    assert {name for _, name in corpus} == {"one", "two", "three", "four"}
    assert all(one is desk.reference for one, _ in corpus)
    assert reference_of(desk, {}, chosen) == []
    figure = panels(desk, {"runs": "fallen", "ref": "corpus"}, "light", [REWARD])[REWARD]
    assert len(traces(figure, "none")) == 1


def test_a_run_that_grows_changes_the_state_of_the_page(tmp_path: Path) -> None:
    from collapse_lab.records import Record

    writer = write_run(tmp_path / "a", finish=False)
    desk = open_desk(tmp_path, judge=False)
    before = state(desk, choose(desk, {"runs": "a"}))
    assert state(desk, choose(desk, {"runs": "a"})) == before
    writer.append(Record(3, 1003.0, {REWARD: 0.4}))
    assert state(desk, choose(desk, {"runs": "a"})) != before
    writer.finish()
