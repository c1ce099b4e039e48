"""Features of the hazard model: causal, blind to roles and scales, monotone in the evidence."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collapse_lab.detectors.base import Step
from collapse_lab.detectors.excursions import Excursions
from collapse_lab.detectors.features import FAR, NAMES, REWARD_FALL, Features
from collapse_lab.detectors.frontend import Array, Residuals
from collapse_lab.detectors.panel import Panel
from collapse_lab.records import RESTART, Record
from collapse_lab.signals import SIGNALS

ONE_A_FAMILY = ("policy/entropy", "optim/grad_norm", "mismatch/k3_kl", "ratio/khat")


def rows(records: list[Record]) -> Array:
    panel, features = Panel(), Features()
    return np.array([features.update(panel.see(record)) for record in records])


def noisy(n: int, seed: int = 0) -> list[Record]:
    random = np.random.default_rng(seed)
    return [
        Record(
            step,
            values={name: float(np.exp(random.normal(-1, 0.1))) for name in ONE_A_FAMILY}
            | {"reward/mean": float(random.normal(0.6, 0.02))},
        )
        for step in range(n)
    ]


def step(deviations: dict[str, float], reward: float | None = None) -> Step:
    """A step whose families deviate so; no signal has a chart."""
    nothing = np.zeros(0)
    residuals = Residuals(0, [], nothing, nothing, nothing, nothing)
    values = {} if reward is None else {"reward/mean": reward}
    return Step(Record(0, values=values), residuals, Excursions(), deviations, False)


def named(features: Array) -> dict[str, float]:
    return dict(zip(NAMES, features.tolist(), strict=True))


def after(steps: list[Step]) -> dict[str, float]:
    features = Features()
    return [named(features.update(one)) for one in steps][-1]


def test_the_families_that_deviate_most_come_first_and_have_no_names() -> None:
    ours = after([step({"policy": 4.0, "ratio": 2.0, "length": 1.0})] * 3)
    assert ours == after([step({"credit": 1.0, "mismatch": 4.0, "optimiser": 2.0})] * 3)
    # deviations beyond the usual 1 of 3, 1 and 0, averaged over three records with weight 0.3
    assert ours["fast 1"] == pytest.approx(3 * (1 - 0.7**3))
    assert ours["fast 2"] == pytest.approx(1 - 0.7**3)
    assert ours["fast 3"] == 0
    assert ours["slow 1"] == pytest.approx(3 * (1 - 0.97**3))


def test_a_burst_is_the_excess_over_the_usual_in_standard_errors() -> None:
    features = Features()
    found = [named(features.update(step({"policy": 3.0})))["burst 1"] for _ in range(8)]
    assert found[:3] == [0, 0, 0]
    assert found[3] == pytest.approx(4 * 2 / math.sqrt(4))
    assert found[7] == pytest.approx(8 * 2 / math.sqrt(8))


def test_what_a_family_usually_does_is_learned_from_records_that_are_not_recent() -> None:
    found = after([step({"policy": 3.0})] * 80)
    # sixteen records' worth of 1 and sixty-four of 3
    usual = (16 * 1 + 64 * 3) / 80
    assert found["burst 1"] == pytest.approx((3 - usual) * 8)


def test_a_spike_counts_no_more_than_four_spreads() -> None:
    spiked, huge = Features(), Features()
    assert list(spiked.update(step({"policy": 4.0}))) == list(huge.update(step({"policy": 1e9})))


def test_the_reward_counts_by_its_own_noise() -> None:
    features = Features()
    for place in range(200):
        features.update(step({}, reward=0.5 + 0.1 * (-1) ** place))
    fallen = [named(features.update(step({}, reward=0.0)))[REWARD_FALL] for _ in range(20)]
    # changes of 0.2 are noise of 0.2 * 1.4826 / sqrt(2) = 0.21; the level was about 0.515 at best
    assert fallen[-1] == pytest.approx(0.515 / 0.21, rel=0.03)
    assert fallen == sorted(fallen)
    assert named(features.update(step({}, reward=-1e9)))[REWARD_FALL] <= FAR


def test_a_better_reward_takes_over_and_a_gap_changes_nothing() -> None:
    features = Features()
    for place in range(21):
        features.update(step({}, reward=float(place % 2)))
    before = named(features.update(step({})))[REWARD_FALL]
    assert before > 0
    found = Step(Record(0, values={"reward/success_rate": 0.5}), *_rest(step({})))
    assert named(features.update(found))[REWARD_FALL] == 0


def _rest(one: Step) -> tuple[Residuals, Excursions, dict[str, float], bool]:
    return one.residuals, one.excursions, one.deviations, one.excused


@pytest.mark.parametrize("factor", [1e-3, 1e4])
def test_the_scale_of_a_signal_does_not_matter(factor: float) -> None:
    records = noisy(60)
    scaled = [
        Record(r.step, values={**r.values, "optim/grad_norm": factor * r.values["optim/grad_norm"]})
        for r in records
    ]
    assert SIGNALS["optim/grad_norm"].transform == "log"
    np.testing.assert_allclose(rows(records), rows(scaled), atol=1e-9)


def test_the_number_of_the_step_does_not_matter() -> None:
    records = noisy(60)
    later = [Record(r.step + 100_000, values=r.values) for r in records]
    np.testing.assert_array_equal(rows(records), rows(later))


@settings(max_examples=10, deadline=None)
@given(st.integers(20, 49), st.floats(-1e6, 1e6))
def test_nothing_depends_on_later_records(cut: int, value: float) -> None:
    records = noisy(50)
    changed = records[:cut] + [
        Record(r.step, values=dict.fromkeys(r.values, value)) for r in records[cut:]
    ]
    np.testing.assert_array_equal(rows(records)[:cut], rows(changed)[:cut])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(ONE_A_FAMILY), st.floats(), max_size=4)))
def test_any_values_give_finite_features_none_of_them_negative(
    values: list[dict[str, float]],
) -> None:
    found = rows([*noisy(30), *(Record(30 + i, values=v) for i, v in enumerate(values))])
    assert np.isfinite(found).all()
    assert (found >= 0).all()


def test_after_a_restart_the_families_rest_for_twenty_steps() -> None:
    records = noisy(60)
    records[40] = Record(40, values=records[40].values, notes={RESTART: ""})
    found = rows(records)
    before, during = found[39], found[40:60]
    families = [place for place, name in enumerate(NAMES) if name != REWARD_FALL]
    assert (during[:, families] == before[families]).all()


def test_a_signal_may_appear_while_excused() -> None:
    records = noisy(60)
    records[40] = Record(40, values=records[40].values, notes={RESTART: ""})
    for place in range(45, 60):
        values = {**records[place].values, "length/mean": 100.0}
        records[place] = Record(place, values=values)
    found = rows(records)
    np.testing.assert_array_equal(found[45:60, :-1], found[44:59, :-1])
    assert rows([Record(0, values={"length/mean": 1.0}, notes={RESTART: ""})]).sum() == 0


def test_a_pickled_state_goes_on_where_it_was() -> None:
    panel, features = Panel(), Features()
    records = noisy(50)
    for record in records[:30]:
        features.update(panel.see(record))
    panel, features = pickle.loads(pickle.dumps((panel, features)))
    later = [features.update(panel.see(record)) for record in records[30:]]
    np.testing.assert_array_equal(later, rows(records)[30:])
