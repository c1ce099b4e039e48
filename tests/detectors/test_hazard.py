"""The hazard model: monotone, kept as JSON, and an alarm that names two families."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.detectors.features import NAMES
from collapse_lab.detectors.hazard import Hazard, Model, heard, shipped, smoothed
from collapse_lab.detectors.limits import Limits, unreachable
from collapse_lab.detectors.panel import DETECTORS, Panel
from collapse_lab.records import Alarm, Record

MODEL = Model((10, 30), np.eye(2, len(NAMES)), np.array([-4.0, -2.0]), -1.0)
"""Weight 1 on the first feature for the first horizon, on the second for the second."""
SIGNALS = ("policy/entropy", "optim/grad_norm", "mismatch/k3_kl")


def course(bad: tuple[str, ...], n: int = 80, onset: int = 60) -> list[Record]:
    """Signals of three families; `bad` ones leave at `onset`. The reward never moves."""
    random = np.random.default_rng(3)
    records: list[Record] = []
    for step in range(n):
        values = {name: float(np.exp(random.normal(-1, 0.1))) for name in SIGNALS}
        for name in bad:
            values[name] *= math.exp(0.3 * max(0, step - onset))
        records.append(Record(step, values=values | {"reward/mean": 0.5}))
    return records


def alarms(records: list[Record], limit: float) -> list[Alarm]:
    panel = Panel(limits=Limits({Hazard.name: limit}, math.inf, "a promise"))
    found = [alarm for record in records for alarm in panel.update(record)]
    return [alarm for alarm in found if alarm.detector == f"calibrated-{Hazard.name}"]


def test_log_odds_are_the_mean_over_horizons() -> None:
    features = np.zeros(len(NAMES))
    assert MODEL.log_odds(features) == -3.0
    features[:2] = 1.0, 3.0
    assert MODEL.log_odds(features) == (-4 + 1 - 2 + 3) / 2
    assert MODEL.log_odds(np.stack([features, 0 * features])).tolist() == [-1.0, -3.0]


def test_a_score_of_one_is_the_limit() -> None:
    assert MODEL.score(-1.0) == 1.0
    assert MODEL.score(-1.0 + math.log(2)) == pytest.approx(2)
    assert MODEL.limited(2.0).score(-1.0 + math.log(2)) == pytest.approx(1)


def test_the_average_starts_at_the_first_log_odds() -> None:
    assert smoothed(3.0, math.nan) == 3.0
    assert smoothed(3.0, 1.0) == pytest.approx(1.8)


def test_a_model_survives_its_json() -> None:
    again = Model.from_json(MODEL.to_json())
    assert again.horizons == MODEL.horizons
    np.testing.assert_array_equal(again.weights, MODEL.weights)
    np.testing.assert_array_equal(again.bias, MODEL.bias)
    assert again.limit == MODEL.limit


def test_the_shipped_model_has_three_horizons_and_no_negative_weight() -> None:
    model = shipped()
    assert len(model.horizons) >= 3
    assert (model.weights >= 0).all()
    assert (model.weights.sum(axis=1) > 0).all()


@given(st.lists(st.floats(0, 20), min_size=2 * len(NAMES), max_size=2 * len(NAMES)))
def test_more_evidence_never_lowers_the_hazard(values: list[float]) -> None:
    less, added = np.array(values).reshape(2, -1)
    assert shipped().log_odds(less + added) >= shipped().log_odds(less) - 1e-9


def test_two_families_have_to_be_heard() -> None:
    panel = Panel()
    found = [heard(panel.see(record)) for record in course(SIGNALS[:2], onset=60)]
    alone = Panel()
    other = [heard(alone.see(record)) for record in course(SIGNALS[:1], onset=60)]
    assert all(found[66:])
    assert sum(other) < 10


def test_an_alarm_names_both_families_and_when_they_left() -> None:
    first = alarms(course(SIGNALS[:2]), limit=0.2)[0]
    assert first.severity == "alarm"
    assert 60 < first.step < 72
    assert {"policy", "optimiser"} <= set(first.families)
    assert 58 <= first.since <= first.step
    assert first.last_healthy_step is not None
    assert "families of signals look as they do before a collapse" in first.message
    assert any("within 10" in note for note in first.notes)
    assert "a promise" in first.notes


def test_two_families_look_so_since_the_second_of_them_does() -> None:
    """The entropy leaves at step 50, the gradient at step 62."""
    records = course(SIGNALS[:1], onset=50)
    for record in records[62:]:
        assert isinstance(record.values, dict)
        record.values["optim/grad_norm"] *= 4.0
    alarm = next(a for a in alarms(records, limit=0.2) if a.step >= 62)
    assert alarm.since_interval[0] < 56 < 60 <= alarm.since <= alarm.step


def test_one_family_alone_is_no_alarm() -> None:
    for alarm in alarms(course(SIGNALS[:1]), limit=0.2):
        assert len(set(alarm.families)) >= 2
    panel, hazard = Panel(), Hazard()
    for record in course(SIGNALS[:1], onset=60):
        step = panel.see(record)
        hazard.update(step)
        assert heard(step) or hazard.score == 0


def test_nothing_is_said_of_a_run_that_stays_on_course() -> None:
    assert alarms(course((), n=300), limit=0.2) == []


def test_it_runs_only_where_limits_name_it() -> None:
    assert Hazard.name not in DETECTORS
    assert Hazard.name not in Panel().scores()
    assert Hazard.name in Panel(limits=unreachable([Hazard.name])).scores()


def test_the_score_before_anything_is_judged_is_zero_and_then_does_not_depend_on_the_limit() -> (
    None
):
    records = course(SIGNALS)[:64]
    scores: list[list[float]] = []
    for limit in (math.inf, 1e6):
        panel = Panel(limits=Limits({Hazard.name: limit}, math.inf, ""))
        scores.append([])
        for record in records:
            panel.update(record)
            scores[-1].append(panel.scores()[Hazard.name])
    assert scores[0] == scores[1]
    assert scores[0][:12] == [0.0] * 12
    assert scores[0][63] > 0


def test_a_chance_is_stated_once_something_is_judged_and_rises_with_what_moves() -> None:
    panel = Panel(limits=unreachable([Hazard.name]))
    model = shipped()
    stated: list[dict[int, float]] = []
    for record in course(SIGNALS)[:64]:
        panel.update(record)
        stated.append(panel.chances()[Hazard.name])
    assert list(stated[0]) == list(model.horizons)
    assert all(math.isnan(chance) for one in stated[:12] for chance in one.values())
    assert all(0 < stated[59][h] < stated[63][h] < 1 for h in model.horizons)
    assert Panel().chances() == {}


def test_a_pickled_panel_goes_on_where_it_was() -> None:
    panel = Panel(limits=unreachable([Hazard.name]))
    other = Panel(limits=unreachable([Hazard.name]))
    records = course(SIGNALS)
    for record in records[:40]:
        panel.update(record)
        other.update(record)
    panel = pickle.loads(pickle.dumps(panel))
    for record in records[40:]:
        panel.update(record)
        other.update(record)
    assert panel.scores() == other.scores()
