"""Learning the hazard model: which records count, monotone weights, and scores out of fold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.fit_hazard import beats
from benchmarks.hazard_judging import (
    ADDED,
    FIRST,
    HAZARD,
    HYBRID,
    SHIPPED_FIRST,
    Judged,
    judge,
    lasting,
    together,
)
from benchmarks.hazard_model import HORIZONS, STILL, courses, fit, folds, scores
from benchmarks.hazard_runs import Seen
from collapse_lab.calibration.conformal import Course
from collapse_lab.detectors.features import BOTH, NAMES, OFF_COURSE, REWARD_FALL
from collapse_lab.detectors.hazard import Hazard, smoothed

RECORDS, ONSET = 60, 40
TOLD = NAMES.index(OFF_COURSE)


def run(name: str, group: str, collapses: bool, seed: int = 0) -> Seen:
    """A run in which one feature grows for ten records before the onset, and noise elsewhere."""
    random = np.random.default_rng(seed)
    features = np.abs(random.normal(0, 0.1, (RECORDS, len(NAMES))))
    if collapses:
        features[ONSET - 10 :, TOLD] += np.minimum(np.arange(RECORDS - ONSET + 10) / 5, 2)
    quiet = np.full(RECORDS, -1.0)
    return Seen(
        name,
        "collapse" if collapses else "healthy",
        ONSET if collapses else None,
        ONSET + 5 if collapses else None,
        range(RECORDS),
        features,
        np.ones(RECORDS, bool),
        12,
        Course.of(name, group, {"e-detector": quiet, "reward-drop": quiet}),
        {"group": group},
        "",
    )


@pytest.fixture(scope="module")
def corpus() -> list[Seen]:
    """Forty healthy and twenty collapsed runs in five groups."""
    return [run(f"{i}", f"group {i % 5}", collapses=i % 3 == 0, seed=i) for i in range(60)]


def test_what_precedes_the_collapse_gets_weight_and_nothing_a_negative_one(
    corpus: list[Seen],
) -> None:
    model = fit(corpus)
    assert model.horizons == HORIZONS
    assert (model.weights >= 0).all()
    assert model.weights[0].argmax() == TOLD


def test_a_feature_left_out_gets_no_weight(corpus: list[Seen]) -> None:
    model = fit(corpus, without=(REWARD_FALL, BOTH))
    weights = dict(zip(NAMES, model.weights.sum(axis=0).tolist(), strict=True))
    assert weights[REWARD_FALL] == weights[BOTH] == 0
    assert weights[OFF_COURSE] > 0


def test_records_after_the_fall_are_not_learned_from(corpus: list[Seen]) -> None:
    changed = [
        run(seen.name, seen.group, seen.onset is not None, int(seen.name)) for seen in corpus
    ]
    for seen in changed:
        if seen.onset is not None:
            seen.features[seen.onset + STILL :] = 0.0
            seen.features[: seen.first] = 9.0
    np.testing.assert_array_equal(fit(changed).weights, fit(corpus).weights)


def test_scores_are_the_smoothed_odds_of_heard_records_and_may_come_late(
    corpus: list[Seen],
) -> None:
    seen, model = corpus[0], fit(corpus)
    seen.heard[20] = False
    found = scores(seen, model)
    odds = model.log_odds(seen.features)
    second = smoothed(float(odds[13]), float(odds[12]))
    assert (found[:12] == 0).all()
    assert found[12] == pytest.approx(model.score(float(odds[12])))
    assert found[13] == pytest.approx(model.score(second))
    assert found[20] == 0 < found[21]
    np.testing.assert_array_equal(scores(seen, model, late=10)[10:], found[:-10])
    seen.heard[20] = True


def test_limits_are_set_by_scores_of_models_that_never_saw_the_group(corpus: list[Seen]) -> None:
    parts = folds(corpus)
    groups = [{seen.group for seen in some} for some, _ in parts]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 5
    found = courses(parts)
    assert sorted(one.name for one in found) == sorted(s.name for s in corpus if s.onset is None)
    some, model = parts[0]
    assert found[0].highest[Hazard.name][-1] == scores(some[0], model).max()


def test_a_precursor_in_every_collapse_is_caught_early_and_late_scores_are_worse(
    corpus: list[Seen],
) -> None:
    judged = judge(corpus[:45], corpus[45:], alpha=0.2)
    early = [
        at is not None and 30 <= at < ONSET
        for seen, at in zip(judged.runs, judged.alarms[HAZARD], strict=True)
        if seen.onset is not None
    ]
    assert all(early)
    assert not any(judged.alarms[FIRST])
    assert beats(judged, alpha=0.2)
    late = judged.alarms[f"{HAZARD}, 10 records late"]
    assert all(
        at is None or at >= ONSET
        for seen, at in zip(judged.runs, late, strict=True)
        if seen.onset is not None
    )


def test_what_catches_no_more_or_alarms_falsely_does_not_beat(corpus: list[Seen]) -> None:
    collapsed = next(seen for seen in corpus if seen.onset is not None)
    healthy = next(seen for seen in corpus if seen.onset is None)
    same = Judged([collapsed, healthy], {FIRST: [35, None], HYBRID: [35, None]})
    better = Judged([collapsed, healthy], {FIRST: [None, None], HYBRID: [35, None]})
    louder = Judged([collapsed, healthy], {FIRST: [None, None], HYBRID: [35, 20]})
    assert [beats(one, alpha=0.1) for one in (same, better, louder)] == [False, True, False]
    assert together([same, better]).alarms[HYBRID] == [35, None, 35, None]


def test_a_run_that_lasts_longer_than_it_was_seen_never_passes_its_largest_score() -> None:
    short = Course.of("a", "b", {Hazard.name: np.array([0.0, 2.0, 1.0])})
    long = lasting(short, 5)
    assert long.records == 5
    assert long.highest[Hazard.name].tolist() == [0, 2, 2, 2, 2]


def test_what_the_shipped_limits_tell_is_added_to_by_the_model_alone(corpus: list[Seen]) -> None:
    """A score of the first generation passes the shipped limit, 1, in one run at record 7."""
    loud = np.where(np.arange(RECORDS) < 7, -1.0, 1.5)
    course = Course.of("loud", "group 0", {"e-detector": loud, "reward-drop": np.full(RECORDS, -1)})
    held = [replace(run("loud", "group 0", collapses=True), course=course), *corpus[45:]]
    judged = judge(corpus[:45], held, alpha=0.2)
    assert judged.alarms[SHIPPED_FIRST] == [7, *[None] * 15]
    assert judged.alarms[FIRST] == [7, *[None] * 15]  # beyond all that the healthy ones reach
    assert judged.alarms[HYBRID][0] == judged.alarms[ADDED][0] == 7
    assert judged.alarms[ADDED][1:] == judged.alarms[HYBRID][1:]
    assert judged.alarms[HAZARD][0] != 7
