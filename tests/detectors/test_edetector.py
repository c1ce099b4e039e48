"""The e-detector keeps its promise where its assumption holds, and speaks soon where not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from collapse_lab.detectors.base import Finding, Step
from collapse_lab.detectors.edetector import ALPHA, BETS, BOLDNESS, EDetector
from collapse_lab.detectors.excursions import Excursions
from collapse_lab.detectors.frontend import Residuals
from collapse_lab.detectors.reward import Reward
from collapse_lab.records import Record

EMPTY = Residuals(0, [], np.empty(0), np.empty(0), np.empty(0), np.empty(0))


def step(index: int, *deviations: float, excused: bool = False) -> Step:
    families = dict(zip("abcdefg", deviations, strict=False))
    excursions = Excursions()
    excursions.update(EMPTY)
    return Step(Record(index), EMPTY, excursions, families, Reward(), (), excused)


def first_alarm(rows: list[list[float]], detector: EDetector) -> int | None:
    for index, row in enumerate(rows):
        if detector.update(step(index, *row)) is not None:
            return index
    return None


def worst_healthy_row(rng: np.random.Generator) -> list[float]:
    """A step on the edge of what H0 allows: each level is exceeded with exactly its p0.

    One uniform number decides the second and the third family, the most adverse dependence.
    """
    chance = rng.random()
    second = 0.0
    for bet in sorted((b for b in BETS if b.rank == 2), key=lambda b: b.level):
        if chance < bet.p0:
            second = bet.level + 0.01
    third = 0.0
    for bet in sorted((b for b in BETS if b.rank == 3), key=lambda b: b.level):
        if chance < bet.p0:
            third = bet.level + 0.01
    return [10.0, max(second, third), third]


def test_every_payoff_has_mean_at_most_one_when_the_level_is_exceeded_with_p0() -> None:
    for bet in BETS:
        paid = 1 + BOLDNESS / bet.p0 * (1 - bet.p0)
        lost = 1 - BOLDNESS
        assert bet.p0 * paid + (1 - bet.p0) * lost == pytest.approx(1)


@pytest.mark.parametrize("planned", [None, 300])
def test_at_most_alpha_of_runs_on_the_edge_of_the_assumption_ever_alarm(
    planned: int | None,
) -> None:
    rng = np.random.default_rng(7)
    runs = 400
    alarmed = sum(
        first_alarm([worst_healthy_row(rng) for _ in range(300)], EDetector(planned)) is not None
        for _ in range(runs)
    )
    # three standard errors above alpha: a broken bet shows at once, luck does not
    assert alarmed / runs <= ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / runs)


def test_start_weights_sum_to_at_most_one() -> None:
    for planned in (None, 50):
        detector = EDetector(planned)
        for index in range(5000):
            detector.update(step(index, 0.0, 0.0, 0.0))
        assert detector.spent <= 1 + 1e-12  # pyright: ignore[reportPrivateUsage]


def test_three_families_beyond_three_for_a_few_steps_raise_the_alarm() -> None:
    quiet = [[0.5, 0.2, 0.1]] * 60
    loud = [[6.0, 5.0, 4.0]] * 10
    alarm = first_alarm(quiet + loud, EDetector())
    assert alarm is not None and alarm <= 65


def test_the_e_value_stands_where_it_raised_the_alarm_and_then_begins_anew() -> None:
    detector = EDetector()
    values: list[float] = []
    for index in range(100):
        found = detector.update(step(index, *([0.5, 0.2, 0.1] if index < 60 else [6.0, 5.0, 4.0])))
        values.append(detector.evidence)
        if found is not None:
            break
    assert values[-2] < 1 / ALPHA <= values[-1]
    assert detector.score == pytest.approx(math.log(values[-1]) / math.log(1 / ALPHA))
    detector.update(step(100, 0.5, 0.2, 0.1))
    assert detector.evidence < 1


def test_one_family_alone_never_alarms_however_far_it_goes() -> None:
    assert first_alarm([[100.0, 0.1, 0.0]] * 500, EDetector()) is None


def test_knowing_the_planned_length_never_makes_a_midway_alarm_later() -> None:
    rows = [[0.5, 0.2, 0.1]] * 150 + [[6.0, 5.0, 2.4]] * 30
    known, unknown = first_alarm(rows, EDetector(300)), first_alarm(rows, EDetector())
    assert known is not None and unknown is not None and known <= unknown


def test_excused_steps_do_not_count() -> None:
    detector = EDetector()
    found = [detector.update(step(i, 9.0, 9.0, 9.0, excused=True)) for i in range(50)]
    assert found == [None] * 50 and detector.evidence == 0


def test_a_run_that_deviates_often_all_along_is_told_so_and_only_watched() -> None:
    rng = np.random.default_rng(1)
    detector = EDetector()
    findings: list[tuple[int, Finding]] = []
    for index in range(2000):
        loud = (index // 12) % 2 == 1  # a dozen loud steps in every two dozen
        row = [4.0, 3.0, 2.0] if loud else list(rng.normal(0, 0.3, 3))
        if (found := detector.update(step(index, *row))) is not None:
            findings.append((index, found))
    assert detector.strained()
    late = [found for index, found in findings if index > 400]
    assert late and all(found.severity == "watch" for found in late)
    assert any("strained" in note for note in late[0].notes)
