"""The panel: causal, restorable, never raising, and an alarm says all a person needs."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collapse_lab.detectors.edetector import EDetector
from collapse_lab.detectors.panel import DETECTORS, Panel
from collapse_lab.records import RESTART, Alarm, Record
from collapse_lab.signals import SIGNALS

NAMES = (
    "reward/mean",
    "policy/entropy",
    "optim/grad_norm",
    "length/mean",
    "mismatch/k3_kl",
    "kl/ref",
)


def healthy(n: int, seed: int = 0) -> list[dict[str, float]]:
    rng = np.random.default_rng(seed)
    rows: list[dict[str, float]] = []
    for _ in range(n):
        row = {name: float(np.exp(rng.normal(-1, 0.15))) for name in NAMES}
        row["reward/mean"] = float(np.clip(rng.normal(0.6, 0.05), 0, 1))
        row["length/mean"] = float(200 * np.exp(rng.normal(0, 0.05)))
        rows.append(row)
    return rows


def collapse(n: int = 100, onset: int = 70, seed: int = 1) -> list[Record]:
    """Entropy, gradient, mismatch and length leave at `onset`; the reward follows ten steps on."""
    records: list[Record] = []
    for index, row in enumerate(healthy(n, seed)):
        late = max(0, index - onset)
        for name in ("policy/entropy", "optim/grad_norm", "mismatch/k3_kl"):
            row[name] *= math.exp(0.35 * min(late, 12))
        row["length/mean"] *= math.exp(0.15 * min(late, 8))
        if late > 10:
            row["reward/mean"] = 0.01
        records.append(Record(index, values=row))
    return records


def run(records: list[Record], panel: Panel | None = None) -> list[Alarm]:
    panel = panel or Panel()
    return [alarm for record in records for alarm in panel.update(record)]


def test_a_healthy_run_is_left_in_peace() -> None:
    records = [Record(i, values=row) for i, row in enumerate(healthy(600, seed=11))]
    assert [a for a in run(records) if a.severity != "watch"] == []


def test_the_alarm_comes_before_the_reward_falls_and_says_what_moved_since_when() -> None:
    alarm = next(a for a in run(collapse()) if a.detector == "e-detector")
    assert alarm.severity == "alarm"
    assert 70 < alarm.step <= 80
    assert {"policy/entropy", "optim/grad_norm", "mismatch/k3_kl"} <= set(alarm.signals)
    assert {"policy", "optimiser", "mismatch"} <= set(alarm.families)
    low, high = alarm.since_interval
    assert 64 <= low <= high <= alarm.step
    assert alarm.last_healthy_step == low - 1
    entropy = next(p for p in alarm.evidence if p.signal == "policy/entropy")
    assert entropy.direction == "up"
    assert entropy.low < entropy.expected < entropy.high < entropy.observed
    assert f"{alarm.signals[0]} up since {alarm.evidence[0].since}" in alarm.message
    assert any("ratio" in name for name in alarm.not_monitored)
    assert any("5% of healthy runs" in note for note in alarm.notes)


def test_families_deviate_together_since_the_second_of_them_does() -> None:
    """The length has been half as long again since step 62 when the others leave at step 70."""
    records = collapse()
    for record in records[62:]:
        assert isinstance(record.values, dict)
        record.values["length/mean"] *= 1.5
    alarm = next(a for a in run(records) if a.detector == "e-detector")
    length = next(part for part in alarm.evidence if part.family == "length")
    assert 60 <= length.since == alarm.since_interval[0] <= 63
    assert 68 <= alarm.since <= 73


def test_a_mechanism_is_told_by_levels_before_the_first_evidence_not_before_the_fall() -> None:
    """The length is half as long again from step 80 on, the reward falls at step 100."""
    rows = healthy(120)
    for step, row in enumerate(rows):
        row["length/mean"] *= 1.5 if step >= 80 else 1.0
        row["reward/mean"] *= float(step < 100)
    found = run([Record(step, values=row) for step, row in enumerate(rows)])
    alarm = next(a for a in found if a.detector == "reward-drop")
    (length,) = (one for one in alarm.suspicions if one.mechanism == "length")
    before, now = map(float, length.because[0].partition(": ")[2].split(" to "))
    assert alarm.since >= 98
    assert (before, now) == (pytest.approx(200, rel=0.05), pytest.approx(300, rel=0.05))


def test_the_cusums_are_what_an_alarm_scores_its_evidence_by() -> None:
    panel = Panel()
    told: dict[str, float] = {}
    for record in collapse():
        alarms = [a for a in panel.update(record) if a.detector == "e-detector"]
        cusums = panel.cusums()
        assert set(cusums) == set(NAMES) - {"reward/mean"}
        assert all(math.isnan(score) for score in cusums.values()) == (record.step < 16)
        if alarms:
            told = {part.signal: part.score for part in alarms[0].evidence}
            assert {name: round(cusums[name], 2) for name in told} == told
            break
    assert "policy/entropy" in told


def test_alarms_never_change_with_what_comes_after() -> None:
    records = collapse(120)
    whole = run(records)
    for cut in (60, 75, 78, 90):
        assert run(records[:cut]) == [a for a in whole if a.step < cut]


def test_a_panel_saved_and_restored_goes_on_where_it_was() -> None:
    records = collapse(110)
    whole = run(records)
    panel = Panel()
    first = run(records[:76], panel)
    restored = pickle.loads(pickle.dumps(panel))
    assert first + run(records[76:], restored) == whole


def test_a_restart_is_excused_and_said_so() -> None:
    records = collapse(150, onset=120)
    transient = dict(records[60].values)
    for name in ("policy/entropy", "optim/grad_norm", "mismatch/k3_kl", "length/mean"):
        transient[name] *= 20
    resumed = [Record(i, values=transient if i < 55 else records[i].values) for i in range(50, 150)]
    resumed[0] = Record(50, values=transient, notes={RESTART: "step went back"})
    found = [a for a in run(records[:60] + resumed) if a.severity != "watch"]
    assert found and all(a.step > 120 for a in found)
    assert any("follow a restart" in note for note in found[0].notes)
    assert found[0].restart == 50


def back(records: list[Record], step: int) -> list[Record]:
    """The records, and then those from this step on once more."""
    again = [replace(record) for record in records[step:]]
    again[0] = replace(again[0], notes={RESTART: "step went back"})
    return records + again


def said(alarms: list[Alarm]) -> list[tuple[object, ...]]:
    return [(a.step, a.detector, a.since, a.last_healthy_step) for a in alarms]


@pytest.mark.parametrize("step", [100, 121, 128])
def test_a_run_that_goes_back_and_collapses_again_is_told_again_just_as_before(step: int) -> None:
    records, panel = collapse(200, onset=150), Panel()
    first = run(records, panel)
    assert {"cusum", "e-detector", "reward-drop"} <= {alarm.detector for alarm in first}
    second = run(back(records, step)[200:], panel)
    assert said(second) == said(first)
    assert all("follow a restart" in " ".join(alarm.notes) for alarm in second)
    assert {alarm.restart for alarm in first} == {None}
    assert {alarm.restart for alarm in second} == {step}


def test_a_run_that_begins_anew_from_its_first_step_is_judged_as_a_new_one() -> None:
    learning = [Record(i, values={"reward/mean": 0.1 + 0.02 * min(i, 40)}) for i in range(80)]
    assert run(back(learning, 0)) == []


def test_what_is_off_its_course_at_the_end_of_the_excuse_may_be_so_since_the_restart() -> None:
    """Signals leave at step 70, the run goes back from step 73 to step 40, nothing is mended."""
    first, second = collapse(73), collapse(160, onset=37)[40:]
    second[0] = Record(40, values=second[0].values, notes={RESTART: "step went back"})
    alarm = next(a for a in run(first + second) if a.detector == "e-detector")
    assert 60 <= alarm.step < 70  # up to step 59 it is excused
    assert alarm.since == alarm.since_interval[0] == 40
    assert alarm.last_healthy_step == 39
    assert max(part.since for part in alarm.evidence) <= alarm.step
    assert any("since 40" in one for told in alarm.suspicions for one in told.because)


def test_what_the_e_detector_spent_of_its_promise_is_spent_when_a_run_goes_back() -> None:
    """Ten times over the same fifty steps, 34 of them judged at first."""
    records = [Record(i, values=row) for i, row in enumerate(healthy(100))]
    panel, spent = Panel(planned_steps=200), list[float]()
    for _ in range(10):
        run(records[:50] if not spent else back(records[:50], 1)[50:], panel)
        (detector,) = (d for d in panel._state.detectors if isinstance(d, EDetector))
        spent.append(detector.spent)
    assert spent[0] == pytest.approx(34 / 200) and spent == sorted(spent)
    assert spent[-1] == pytest.approx(1.0)


@pytest.mark.parametrize("planned", [-1, 0, "500"])
def test_a_planned_length_that_is_none_is_not_used(planned: Any) -> None:
    records = collapse(100)
    assert run(records, Panel(planned_steps=planned)) == run(records)


def test_a_family_in_the_evidence_is_not_called_unmonitored() -> None:
    values = {"reward/mean": 0.5, "loss/total": math.nan}
    (alarm,) = run([Record(0, values=values)])
    assert {part.family for part in alarm.evidence} == {"optimiser"}
    assert not any(text.startswith("optimiser") for text in alarm.not_monitored)


def test_coverage_tells_constant_from_healthy_and_names_what_is_missing() -> None:
    panel = Panel()
    for index, row in enumerate(healthy(40)):
        panel.update(Record(index, values=row | {"ratio/clip_frac": 0.0}))
    coverage = panel.coverage()
    assert "policy/entropy" in coverage.monitored
    assert coverage.constant == ("ratio/clip_frac",)
    assert {"credit", "async"} <= set(coverage.missing)


def test_every_detector_has_a_name_a_docstring_and_survives_pickling() -> None:
    for name, kind in DETECTORS.items():
        assert name == kind.name and kind.__doc__
        assert repr(pickle.loads(pickle.dumps(kind()))) == repr(kind())


FLOATS = st.floats(allow_nan=True, allow_infinity=True, width=64)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(-5, 200),
            st.dictionaries(st.sampled_from([*SIGNALS, "own/metric"]), FLOATS, max_size=8),
        ),
        max_size=60,
    )
)
def test_it_never_raises_whatever_is_logged(rows: list[tuple[int, dict[str, float]]]) -> None:
    for alarm in run([Record(step, values=values) for step, values in rows]):
        assert Alarm.from_dict(alarm.to_dict()).message == alarm.message


DISTURBED = ("reward/mean", "reward/std", "reward/success_rate", *NAMES[1:3])


def fall_and_death(n: int) -> list[dict[str, float]]:
    """The reward falls over five records, 25 before the end, and has no spread any more."""
    rows = healthy(n)
    for late, row in enumerate(rows, 25 - n):
        row["reward/mean"] *= min(1.0, max(0.0, 1 - late / 5))
        row["reward/std"] = float(late < 5)
    return rows


def test_a_fall_and_the_death_after_it_are_told() -> None:
    found = {
        a.detector for a in run([Record(i, values=r) for i, r in enumerate(fall_and_death(50))])
    }
    assert {"reward-drop", "dead-policy"} <= found


@settings(max_examples=100, deadline=None)
@given(
    st.integers(30, 60),
    st.lists(st.tuples(st.integers(0, 59), st.sampled_from(DISTURBED), st.none() | FLOATS)),
    st.lists(st.tuples(st.integers(1, 59), st.integers(1, 59)), max_size=2),
)
@example(n=30, values=[(0, "reward/mean", 1.0)], restarts=[(2, 4)])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_fall_is_dated_within_its_bounds_whatever_else_is_logged(
    n: int, values: list[tuple[int, str, float | None]], restarts: list[tuple[int, int]]
) -> None:
    """Values that are missing, not finite or far too large, and steps that go back."""
    rows, steps, notes = fall_and_death(n), [*range(n)], dict[int, dict[str, str]]()
    for at, name, value in values:
        rows[at % n].pop(name, None)
        rows[at % n] |= {} if value is None else {name: value}
    for at, back in restarts:
        steps[at:] = [step - back for step in steps[at:]]
        notes[at] = {RESTART: "step went back"}
    records = [
        Record(step, values=row, notes=notes.get(at, {}))
        for at, (step, row) in enumerate(zip(steps, rows, strict=True))
    ]
    for alarm in run(records):
        low, high = alarm.since_interval
        assert low <= alarm.since <= high <= alarm.step
        assert all(part.since <= alarm.step for part in alarm.evidence)
        assert alarm.last_healthy_step is None or alarm.last_healthy_step < low
        assert Alarm.from_dict(alarm.to_dict()).message == alarm.message


def test_memory_does_not_grow_with_the_run() -> None:
    panel = Panel()
    sizes: list[int] = []
    for index, row in enumerate(healthy(3000, seed=2)):
        panel.update(Record(index, values=row))
        if index in (1400, 2999):
            sizes.append(len(pickle.dumps(panel)))
    assert sizes[1] == pytest.approx(sizes[0], rel=0.1)
