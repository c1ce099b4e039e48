"""How far updates move the policy: a level, against that of one's own healthy runs."""

from __future__ import annotations

import math
import pickle

import pytest

from collapse_lab.detectors.limits import Limits
from collapse_lab.detectors.movement import TYPICAL, Movement, followed, level
from collapse_lab.detectors.panel import DETECTORS, Panel
from collapse_lab.records import RESTART, Alarm, Record

QUIET = {"ratio/log_q01": -0.1, "kl/old_max": 0.004, "optim/grad_norm_max": 0.8}
WILD = {"ratio/log_q01": -0.8, "kl/old_max": 0.1, "optim/grad_norm_max": 4.0}


def panel(limit: float = 3.0) -> Panel:
    return Panel(limits=Limits({Movement.name: limit}, math.inf, "a promise"))


def alarms(courses: list[dict[str, float]], limit: float = 3.0) -> list[Alarm]:
    watching = panel(limit)
    found = [a for step, v in enumerate(courses) for a in watching.update(Record(step, values=v))]
    return [alarm for alarm in found if alarm.detector == "calibrated-movement"]


def test_a_level_is_the_mean_logarithm_in_healthy_spreads() -> None:
    # ln .1 / .86 = -2.677, ln .004 / 1.32 = -4.183, ln .8 / .92 = -.243
    assert level(followed(QUIET)) == pytest.approx((-2.677 - 4.183 - 0.243) / 3, abs=1e-3)
    assert level(followed({"optim/grad_norm": 0.6})) == pytest.approx(math.log(0.6) / 0.51)
    assert level(followed({"optim/grad_norm": 0.0})) == pytest.approx(math.log(1e-8) / 0.51)
    preferred = QUIET | {"kl/old": 9.0, "optim/grad_norm": 9.0}
    assert level(followed(preferred)) == level(followed(QUIET))


def test_a_run_that_moves_its_policy_further_from_its_start_is_alarmed_on_at_its_third_record() -> (
    None
):
    (alarm,) = alarms([WILD] * 40)
    assert (alarm.step, alarm.since, alarm.severity) == (2, 0, "alarm")
    assert alarm.signals == tuple(WILD)
    assert [part.direction for part in alarm.evidence] == ["down", "up", "up"]
    assert alarm.notes[0] == "a promise"


def test_one_wild_batch_is_no_movement_and_two_of_three_are() -> None:
    assert alarms([QUIET] * 10 + [WILD] + [QUIET] * 10) == []
    (alarm,) = alarms([QUIET] * 10 + [WILD, QUIET, WILD] + [QUIET] * 10)
    assert alarm.step == 12


def test_the_score_is_the_median_level_and_grows_with_it() -> None:
    watching = panel(math.inf)
    for step, values in enumerate([QUIET, WILD, QUIET]):
        watching.update(Record(step, values=values))
    assert watching.scores()["movement"] == pytest.approx(
        math.exp(level(followed(QUIET)) - TYPICAL)
    )


def test_a_record_without_one_of_the_signals_is_passed_over() -> None:
    # the gradient alone would be a far higher level
    assert alarms([QUIET] * 10 + [{"optim/grad_norm_max": 0.8}] * 10) == []
    assert alarms([QUIET, {"reward/mean": 1.0}] * 10) == []


def test_what_is_not_a_number_is_passed_over_and_infinity_is_movement() -> None:
    assert alarms([QUIET] * 5 + [QUIET | {"kl/old_max": math.nan}] * 9) == []
    assert len(alarms([QUIET] * 5 + [QUIET | {"kl/old_max": math.inf}] * 9)) == 1


def test_after_a_restart_nothing_is_judged_for_a_while() -> None:
    watching = panel()
    for step in range(10):
        watching.update(Record(step, values=QUIET))
    watching.update(Record(5, values=QUIET, notes={RESTART: "went back"}))
    found = [a for step in range(6, 24) for a in watching.update(Record(step, values=WILD))]
    assert [alarm for alarm in found if alarm.detector == "calibrated-movement"] == []


def test_without_a_calibration_it_is_not_there() -> None:
    assert Movement.name not in DETECTORS
    assert Movement.name not in Panel().scores()


def test_it_goes_on_where_it_was_after_pickling() -> None:
    watching = panel()
    for step in range(8):
        watching.update(Record(step, values=QUIET))
    again = pickle.loads(pickle.dumps(watching))
    for step in range(8, 12):
        told = [panel.update(Record(step, values=WILD)) for panel in (watching, again)]
        assert told[0] == told[1]
    assert again.scores() == watching.scores()
