"""Which runs the ranks rest on, and that a score that sees the collapse has them and loses them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from collapse_lab.scorecard import RECORD_NUMBER, JudgedRun, rank


def judged(kind: str, seed: int, onset: int | None = None) -> JudgedRun:
    """A `seer` rises five records before the onset; `blind` is noise, unknown at first."""
    random = np.random.default_rng(seed)
    seer, blind = random.normal(size=60), random.normal(size=60)
    blind[:5] = np.nan
    if onset is not None:
        seer[onset - 5 :] += 20
    traces = {"seer": seer, "blind": blind}
    return JudgedRun("", kind, str(seed), {}, range(60), onset, onset, (), traces)


def corpus() -> list[JudgedRun]:
    healthy = [judged("healthy", seed) for seed in range(20)]
    return healthy + [judged("collapse", 20 + seed, onset=30 + seed) for seed in range(10)]


def test_a_score_that_sees_five_records_ahead_has_the_area_and_loses_it_ten_late() -> None:
    found = {(one.detector, one.horizon): one for one in rank(corpus(), (5, 20))}
    seer = found["seer", 5]
    assert seer.roc > 0.99 and seer.roc_at_same_record > 0.99 and seer.precision_recall > 0.99
    assert seer.late_minus_now[1] < -0.3
    assert found["seer", 20].roc_at_same_record < 0.8  # of twenty records it sees five


def test_noise_and_the_clock_have_one_half_at_the_same_record() -> None:
    found = {one.detector: one for one in rank(corpus(), (5,))}
    low, high = found["blind"].roc_at_same_record_interval
    assert low < 0.5 < high
    assert found[RECORD_NUMBER].roc_at_same_record_interval == pytest.approx((0.5, 0.5))
    assert found[RECORD_NUMBER].prevalence == found["blind"].prevalence


def test_runs_that_do_not_count_are_not_ranked() -> None:
    cut_short = judged("suspect_censored", 99)
    assert rank([*corpus(), cut_short], (5,))[0].roc == rank(corpus(), (5,))[0].roc


def test_a_corpus_without_collapses_has_no_areas_and_is_json_all_the_same() -> None:
    for runs in ([judged("healthy", 0)], []):
        found = [one.to_dict() for one in rank(runs, (5,))]
        assert json.loads(json.dumps(found, allow_nan=False))[-1]["auroc"] is None
