"""Limits are order statistics worked out by hand, and they hold as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from made_runs import made_run
from scipy import stats

from collapse_lab.calibration import conformal
from collapse_lab.calibration.conformal import Course, TooFewRuns, calibrate
from collapse_lab.corpus import CorpusRun
from collapse_lab.detectors.limits import Limits
from collapse_lab.detectors.panel import Panel
from collapse_lab.labels import Label

ONE = ("e-detector",)
TWO = ("e-detector", "reward-drop")


def run(first: float, second: float = 0.0, records: int = 10, group: str = "a") -> Course:
    """A run whose scores jump to these at its fifth record."""
    courses = {
        name: np.where(np.arange(records) < 4, -np.inf, score)
        for name, score in zip(TWO, (first, second), strict=True)
    }
    return Course(f"{first} {second}", group, courses)


def test_nineteen_runs_allow_five_percent_to_be_claimed_by_their_largest_score() -> None:
    found = calibrate([run(score) for score in range(1, 20)], 0.05, ONE)
    assert found.limits == {"e-detector": 19.001}
    assert found.shares == {"e-detector": 1 / 20}


def test_eighteen_runs_are_refused_with_what_they_allow() -> None:
    with pytest.raises(TooFewRuns, match=r"18 healthy runs .* needs 19.*alpha 0\.053 can be"):
        calibrate([run(score) for score in range(18)], 0.05, ONE)


def test_two_detectors_need_twice_as_many_and_one_of_them_alone_half() -> None:
    runs = [run(score, score) for score in range(38)]
    with pytest.raises(TooFewRuns, match=r"need 39.*0\.052 can be claimed, or 0\.026 for one"):
        calibrate(runs, 0.05, TWO)
    assert calibrate([*runs, run(38, 38)], 0.05, TWO).shares == dict.fromkeys(TWO, 1 / 40)


def test_no_run_at_all_is_refused() -> None:
    with pytest.raises(TooFewRuns, match="0 healthy runs"):
        calibrate([], 0.05, ONE)


def test_spare_ranks_go_to_the_first_detector() -> None:
    # floor(0.1 * 30) = 3 ranks of 29 runs: the second largest for the first, the largest for the
    # second
    found = calibrate([run(score, 100 - score) for score in range(1, 30)], 0.1, TWO)
    assert found.limits == {"e-detector": 28.001, "reward-drop": 99.001}
    assert found.spent == pytest.approx(0.1)


def test_runs_that_never_stirred_still_leave_something_to_be_exceeded() -> None:
    assert calibrate([run(-np.inf)] * 19, 0.05, ONE).limits == {"e-detector": 0.001}


def test_a_limit_is_above_the_score_that_sets_it_however_large_that_is() -> None:
    # a thousandth more is the same number there
    runs = [run(1e20)] * 19
    found = calibrate(runs, 0.05, ONE)
    assert all(conformal.reached(one, found) is None for one in runs)


def test_limits_hold_up_to_the_length_that_enough_runs_have() -> None:
    long = [run(score, records=50) for score in range(1, 20)]
    short = [run(30, records=20)] * 2
    found = calibrate([*long, *short, run(99, records=80)], 0.05, ONE)
    # twenty runs reach 50 records, one of them with 99; all 22 reach 20 records
    assert (found.records, found.long_enough, found.runs) == (50, 20, 22)
    assert found.limits == {"e-detector": 99.001}
    alone = calibrate([*long, *short], 0.05, ONE)
    assert alone.records == 50
    assert alone.limits == {"e-detector": 30.001}  # short runs count at their own length


def test_realised_false_alarms_follow_the_beta_law() -> None:
    # scores are uniform on 0 to 1000, so a limit is the share of new runs below it
    random = np.random.default_rng(3)
    alpha, n = 0.1, 49  # five ranks: realised share ~ Beta(5, 45)
    realised: list[float] = []
    bound = 1.0
    for _ in range(400):
        found = calibrate([run(score) for score in random.uniform(0, 1000, n)], alpha, ONE)
        realised.append(1 - found.limits["e-detector"] / 1000)
        bound = found.at_most
    law = stats.beta(5, 45)
    assert stats.kstest(realised, law.cdf).pvalue > 0.01
    assert np.mean(realised) == pytest.approx(alpha, abs=0.01)
    assert bound == pytest.approx(law.ppf(0.95))  # the PAC bound is the law's 95 % point


def test_detectors_together_stay_below_alpha_whatever_their_dependence() -> None:
    random = np.random.default_rng(5)
    alarmed = {"opposite": [], "same": []}
    for _ in range(60):
        for kind, shares in alarmed.items():
            x = random.uniform(0, 1000, 39 + 200)
            y = 1000 - x if kind == "opposite" else x
            courses = [run(*pair) for pair in zip(x.tolist(), y.tolist(), strict=True)]
            found = calibrate(courses[:39], 0.05, TWO)
            hits = [conformal.reached(course, found) is not None for course in courses[39:]]
            shares.append(float(np.mean(hits)))
    # two ranks of forty: exactly alpha when they never alarm together, half of it when always
    assert np.mean(alarmed["opposite"]) == pytest.approx(0.05, abs=0.012)
    assert np.mean(alarmed["same"]) == pytest.approx(0.025, abs=0.009)


def test_a_group_left_out_is_judged_by_the_others() -> None:
    quiet = [run(score, group=group) for group in "abc" for score in range(1, 11)]
    loud = [run(50, group="d")] * 4
    share = conformal.left_out_alarms([*quiet, *loud], 0.05, ONE)
    assert (share.hits, share.of) == (4, 34)


def test_groups_that_leave_too_few_are_not_counted() -> None:
    runs = [run(score, group="a") for score in range(15)] + [run(9, group="b")] * 10
    assert conformal.left_out_alarms(runs, 0.05, ONE).of == 0


@pytest.mark.parametrize("limit", [0.2, 0.7, 1.0, 1.5])
@pytest.mark.parametrize("name", ["e-detector", "reward-drop", "cusum"])
def test_the_first_live_alarm_comes_where_the_score_first_reaches_the_limit(
    name: str, limit: float
) -> None:
    records = made_run(1, onset=35, lost=True)
    seen = conformal.course(CorpusRun("", records, Label("collapse"), {}, ""))
    over = np.flatnonzero(seen.highest[name] >= limit)
    panel = Panel(limits=Limits({name: limit}, 1000, "held"))
    live = [
        point
        for point, record in enumerate(records)
        if any(alarm.detector == f"calibrated-{name}" for alarm in panel.update(record))
    ]
    assert over.size and live[0] == over[0]
