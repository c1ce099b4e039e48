"""The front end: causal residuals on an even scale, from the first dozen records on."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.detectors.frontend import FrontEnd
from collapse_lab.detectors.prior import Prior, Spread
from collapse_lab.detectors.scale import JUDGED, from_scale, to_scale
from collapse_lab.records import Record
from collapse_lab.signals import SIGNALS

ENTROPY = "policy/entropy"


def residuals(values: list[float], prior: Prior | None = None, stride: int = 1) -> list[float]:
    front = FrontEnd(prior or Prior())
    out: list[float] = []
    for index, value in enumerate(values):
        step = front.update(Record(index * stride, values={ENTROPY: value}))
        out.append(float(step.u[0]))
    return out


def noise(n: int, sigma: float, seed: int = 0) -> list[float]:
    rng = np.random.default_rng(seed)
    return list(np.exp(rng.normal(0, sigma, n)))


def test_a_run_logged_every_five_steps_is_judged_from_its_sixth_record_with_a_prior() -> None:
    prior = Prior({ENTROPY: Spread(0.1, 10, 5)})
    u = residuals(noise(8, 0.1), prior, stride=5)
    assert [math.isfinite(value) for value in u] == [False] * 5 + [True] * 3


def test_without_a_prior_sixteen_records_come_first() -> None:
    u = residuals(noise(18, 0.1))
    assert [math.isfinite(value) for value in u] == [False] * 16 + [True] * 2


def test_what_grows_with_the_rate_in_a_warm_up_is_followed_from_the_first_judged_record() -> None:
    """Growing by a tenth of a nat a record. Half of the trend is believed, over the 4 records of
    the gap and the 6 from the middle of the 12 before it: one record is off by the rest, about half
    a nat, where a level alone would be off by one."""
    prior = Prior({ENTROPY: Spread(0.25, 1000, 5)})
    u = residuals([math.exp(0.1 * index) for index in range(40)], prior)
    assert 1.5 < u[16] < 2.5
    assert max(u[17:30]) < 2


def test_a_jump_of_ten_healthy_spreads_shows_as_about_ten() -> None:
    prior = Prior({ENTROPY: Spread(0.1, 1000, 5)})
    level = [1.0] * 40
    u = residuals([*level, math.exp(1.0)], prior)
    # a little less for the uncertainty of the median that predicts, a little more for whitening
    assert u[-1] == pytest.approx(10, rel=0.1)


def test_healthy_noise_rarely_exceeds_its_levels() -> None:
    u = np.array(residuals(noise(4000, 0.2)))
    u = u[np.isfinite(u)]
    assert (u > 2.5).mean() < 0.02
    assert 0.75 < u.std() < 1.25


def test_a_slow_healthy_trend_is_followed_and_not_flagged() -> None:
    trend = [value * math.exp(-index / 400) for index, value in enumerate(noise(600, 0.1))]
    u = np.array(residuals(trend))
    assert (np.abs(u[np.isfinite(u)]) > 3).mean() < 0.02


def test_one_spike_does_not_make_the_next_step_look_extreme_the_other_way() -> None:
    values = noise(100, 0.1)
    values[60] = math.exp(8)
    u = residuals(values)
    assert u[60] > 20
    assert abs(u[61]) < 5


def test_missing_and_non_finite_values_give_no_residual_and_do_not_enter_the_history() -> None:
    clean = noise(60, 0.1)
    front, other = FrontEnd(Prior()), FrontEnd(Prior())
    for index, value in enumerate(clean):
        front.update(Record(2 * index, values={ENTROPY: value}))
        front.update(Record(2 * index + 1, values={ENTROPY: math.nan} if index % 2 else {}))
        other.update(Record(2 * index, values={ENTROPY: value}))
    a = front.update(Record(500, values={ENTROPY: 3.0}))
    b = other.update(Record(500, values={ENTROPY: 3.0}))
    assert a.u[0] == pytest.approx(b.u[0])


def test_exact_zeros_of_the_gradient_norm_are_an_event_and_never_reach_the_logarithm() -> None:
    front = FrontEnd(Prior())
    for index in range(60):
        value = 0.0 if index % 3 == 0 else 1.0 + 0.01 * (index % 5)
        step = front.update(Record(index, values={"optim/grad_norm": value}))
        assert math.isnan(step.u[0]) or abs(step.u[0]) < 5


def test_a_ratio_that_underflows_to_zero_is_the_end_of_its_tail() -> None:
    assert to_scale(SIGNALS["mismatch/is_min"], 0.0) == pytest.approx(math.log(1e-30))
    assert math.isnan(to_scale(SIGNALS["optim/grad_norm"], 0.0))


def test_rewards_and_times_are_never_judged() -> None:
    assert not {name for name in JUDGED if SIGNALS[name].family in ("reward", "time")}


def test_residuals_never_change_with_what_comes_after() -> None:
    values = noise(80, 0.3, seed=3)
    assert residuals(values)[:50] == pytest.approx(residuals(values[:50]), nan_ok=True)


@given(st.sampled_from(sorted(JUDGED)), st.floats(0.02, 0.98))
def test_the_scale_can_be_read_back(name: str, value: float) -> None:
    assert from_scale(SIGNALS[name], to_scale(SIGNALS[name], value)) == pytest.approx(value)
