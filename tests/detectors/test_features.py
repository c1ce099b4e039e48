"""Features of the hazard model: causal, blind to roles and scales, monotone in the evidence."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collapse_lab.detectors.base import Step
from collapse_lab.detectors.excursions import Excursions
from collapse_lab.detectors.features import (
    BOTH,
    FAR,
    NAMES,
    OFF_COURSE,
    REWARD_FALL,
    USUAL,
    Features,
    beyond_usual,
    shares_off_course,
)
from collapse_lab.detectors.frontend import Array, Residuals
from collapse_lab.detectors.panel import Panel
from collapse_lab.detectors.reward import Reward
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


def step(**charts: float) -> Step:
    """A step without a reward whose signals' charts stand so; `__` in a name is its slash."""
    names = [name.replace("__", "/") for name in charts]
    nothing = np.zeros(len(names))
    residuals = Residuals(0, names, nothing, nothing, nothing, nothing)
    excursions = Excursions()
    excursions.grow(names)
    excursions.score[0] = list(charts.values())
    return Step(Record(0), residuals, excursions, {}, Reward(), (), False)


def named(features: Array) -> dict[str, float]:
    return dict(zip(NAMES, features.tolist(), strict=True))


def after(steps: list[Step]) -> dict[str, float]:
    features = Features()
    return [named(features.update(one)) for one in steps][-1]


class Rewarded:
    """Features of steps that have a reward."""

    def __init__(self) -> None:
        self.features, self.reward = Features(), Reward()

    def update(self, value: float, name: str = "reward/mean", **charts: float) -> dict[str, float]:
        self.reward.update({name: value})
        return named(self.features.update(replace(step(**charts), reward=self.reward)))

    @property
    def fall(self) -> float:
        return self.features.reward_fall


def test_families_count_alike_however_many_signals_of_each_are_logged() -> None:
    one = step(policy__entropy=2.0, optim__grad_norm=0.0)
    many = step(policy__entropy=2.0, optim__grad_norm=0.0, **{"loss/total": 0.0, "loss/pg": 0.9})
    assert SIGNALS["loss/total"].family == SIGNALS["optim/grad_norm"].family
    assert shares_off_course(one) == {"policy": 1.0, "optimiser": 0.0}
    assert after([one])[OFF_COURSE] == after([many])[OFF_COURSE] == pytest.approx(0.2 / 2)


def test_which_families_they_are_does_not_matter() -> None:
    ours = after([step(policy__entropy=3.0, optim__grad_norm=0.0)] * 3)
    assert ours == after([step(optim__grad_norm=3.0, mismatch__k3_kl=0.0)] * 3)
    # half of the families off their courses for three records, with weight 0.2
    assert ours[OFF_COURSE] == pytest.approx(0.5 * (1 - 0.8**3))


def test_a_signal_that_is_not_judged_counts_for_nothing() -> None:
    one = step(policy__entropy=3.0, optim__grad_norm=0.0)
    one.residuals.u[0] = math.nan
    assert shares_off_course(one) == {"optimiser": 0.0}


def test_the_reward_counts_by_the_standard_error_of_its_average() -> None:
    run = Rewarded()
    for place in range(200):
        run.update(0.5 + 0.1 * (-1) ** place)
    for _ in range(20):
        run.update(0.4)
    # changes of 0.2 are noise of 0.2 * 1.4826 / sqrt(2) = 0.21, of an average 0.21 / sqrt(19);
    # the average was about 0.51 at best and is 0.4 plus 0.1 * 0.9^20
    expected = (0.51 - 0.4 - 0.1 * 0.9**20) / (0.2097 / math.sqrt(19))
    assert run.fall == pytest.approx(expected, rel=0.1)
    before = run.fall
    run.update(0.0)
    assert before < run.fall
    run.update(-1e9)
    assert run.fall <= FAR


def test_a_reward_without_noise_is_taken_to_waver_by_a_sixteenth_of_its_gain() -> None:
    """0.8 / 16 is an error of 0.05 / sqrt(19) = 0.01147; ten records later the average has lost
    0.1 x (1 - 0.9^10) = 0.0651."""
    run = Rewarded()
    for reward in [0.8] * 100 + [0.7] * 10:
        run.update(reward)
    assert run.fall == pytest.approx(0.0651 / 0.01147, rel=0.01)


def test_a_fall_within_the_usual_is_none_and_the_feature_grows_slower_than_it() -> None:
    assert beyond_usual(USUAL) == 0
    assert beyond_usual(5) == pytest.approx(math.log(6 / 3))
    assert beyond_usual(8) - beyond_usual(5) == pytest.approx(math.log(9 / 6))


def test_both_at_once_is_their_product() -> None:
    run = Rewarded()
    found = [run.update(float(place < 20), policy__entropy=3.0) for place in range(40)][-1]
    assert found[REWARD_FALL] > 0
    assert found[BOTH] == found[REWARD_FALL] * found[OFF_COURSE]


def test_a_better_reward_takes_over_and_a_gap_changes_nothing() -> None:
    run = Rewarded()
    for place in range(30):
        run.update(float(place < 15))
    before = run.fall
    run.update(math.nan)
    assert run.fall == before > 0
    run.update(0.5, name="reward/success_rate")
    assert run.fall == 0


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
    off = NAMES.index(OFF_COURSE)
    assert (during[:, off] == before[off]).all()


def test_a_signal_may_appear_while_excused() -> None:
    records = noisy(60)
    records[40] = Record(40, values=records[40].values, notes={RESTART: ""})
    for place in range(45, 60):
        values = {**records[place].values, "length/mean": 100.0}
        records[place] = Record(place, values=values)
    found = rows(records)
    off = NAMES.index(OFF_COURSE)
    np.testing.assert_array_equal(found[45:60, off], found[44:59, off])
    assert rows([Record(0, values={"length/mean": 1.0}, notes={RESTART: ""})]).sum() == 0


def test_a_pickled_state_goes_on_where_it_was() -> None:
    panel, features = Panel(), Features()
    records = noisy(50)
    for record in records[:30]:
        features.update(panel.see(record))
    panel, features = pickle.loads(pickle.dumps((panel, features)))
    later = [features.update(panel.see(record)) for record in records[30:]]
    np.testing.assert_array_equal(later, rows(records)[30:])
