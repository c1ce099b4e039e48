"""Excursions: since when signals are off their courses, by charts worked out by hand."""

from __future__ import annotations

import numpy as np

from collapse_lab.detectors.excursions import Excursions
from collapse_lab.detectors.frontend import Residuals

NAMES = ["optim/grad_norm", "policy/entropy", "kl/ref"]
"""Of the families optimiser, policy and policy."""


def after(*residuals: tuple[float, float, float]) -> Excursions:
    """The charts after these whitened residuals of `NAMES`, one tuple a step from step 0."""
    excursions, level = Excursions(), np.ones(len(NAMES))
    for step, u in enumerate(residuals):
        excursions.update(Residuals(step, NAMES, level, level, level, np.array(u)))
    return excursions


def test_an_excursion_begins_after_the_last_zero_of_its_chart() -> None:
    """3 - 1 = 2, then 0 again; 1.5 - 1, 3 - 1 and min(9, 4) - 1 are 0.5, 2.5 and 5.5."""
    (part,) = after((3, 0, 0), (-2, 0, 0), (1.5, 0, 0), (3, 0, 0), (9, 0, 0)).evidence(least=3)
    assert (part.signal, part.since, part.score) == ("optim/grad_norm", 2, 5.5)
    assert (part.bad_steps, part.steps) == (2, 3)


def test_the_onset_lies_between_the_first_plausible_begin_and_the_last_clear_residual() -> None:
    """A residual of 0.9 begins the chart that allows 0.75, not the one that allows 1; 2 is no clear
    residual, 3 is."""
    excursions = after((0.9, 0, 0), (2, 0, 0), (3, 2, 0), (3, 2, 0), (3, 3, 0))
    evidence = excursions.evidence(least=1)
    assert [part.since for part in evidence] == [1, 2]
    assert excursions.onset(evidence) == (1, (0, 4))


def test_two_families_are_off_together_since_the_second_of_them_is() -> None:
    """The gradient since step 0, the policy since step 2 (kl/ref; entropy since 3 is no second
    family), clearly from step 4 on."""
    excursions = after((3, 0, 0), (3, 0, 0), (3, 0, 2), (3, 4, 2), (3, 4, 3))
    evidence = excursions.evidence(least=1)
    assert {part.signal for part in evidence} == set(NAMES)
    assert excursions.joint_onset(evidence) == (2, (0, 4))


def test_until_a_residual_is_clear_the_onset_may_be_now() -> None:
    excursions = after((3, 2, 0), (3, 2, 0), (3, 2, 0))
    assert excursions.joint_onset(excursions.evidence(least=1)) == (0, (0, 2))


def test_of_one_family_the_onset_is_its_own() -> None:
    excursions = after((0, 0, 0), (0, 3, 3), (0, 3, 3))
    evidence = excursions.evidence(least=1)
    assert excursions.joint_onset(evidence) == excursions.onset(evidence) == (1, (1, 1))
