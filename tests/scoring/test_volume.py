"""VUS-PR against values worked out by hand, and of scores that know nothing and everything."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.scoring import vus_pr
from collapse_lab.scoring.volume import label


def test_labels_fall_with_the_distance_up_to_half_of_the_buffer():
    assert label(6, range(2, 4), 0).tolist() == [0, 0, 1, 1, 0, 0]
    assert label(6, range(2, 4), 1).tolist() == [0, 0, 1, 1, 0, 0]
    root = math.sqrt(0.5)
    assert label(6, range(2, 4), 2) == pytest.approx([0, root, 1, 1, root, 0])
    assert label(6, range(2, 4), 4) == pytest.approx(
        [root, math.sqrt(3) / 2, 1, 1, math.sqrt(3) / 2, root]
    )
    assert label(3, None, 4).tolist() == [0, 0, 0]


def test_without_a_buffer_it_is_average_precision():
    # ranked: hit, miss, hit, miss; precision 1 at half and 2/3 at the other half
    score = [np.array([1.0, 3, 4, 2])]
    areas = vus_pr([np.array([4.0, 2, 3, 1])], [range(0, 1)], 0)
    assert areas == 1
    assert vus_pr(score, [range(1, 3)], 0) == 1
    assert vus_pr([np.array([4.0, 3, 2, 1])], [range(1, 3)], 0) == pytest.approx(
        (1 / 2 + 2 / 3) / 2
    )


def test_a_range_that_is_not_reached_takes_its_share_of_the_recall():
    scores = [np.array([9.0, 8, 0]), np.array([1.0, 7, 2])]
    # the first range is found at 8; the second one, of one record, at 1 as the fifth of six:
    # recall goes from (1/3, 2/3) of a half to all
    found = vus_pr(scores, [range(0, 2), range(0, 1)], 0)
    assert found == pytest.approx(1 / 6 + 1 / 6 + 3 / 5 * (1 - 1 / 3))


def test_a_buffer_of_two_by_hand():
    root = math.sqrt(0.5)
    # labels 0, root, 1, 0 with the range at the third of four records; l = 0 and 1 have no buffer
    found = vus_pr([np.array([1.0, 4, 3, 2])], [range(2, 3)], 2)
    plain = 1 / 2
    half_way = (1 + 1 + 2 * root) / 2  # the fourth record is in the buffer, too
    one, two = root / half_way, (root + 1) / half_way
    three = 1.0
    area = root * one + (root + 1) / 2 * (two - one) + (2 * root + 1) / 3 * (three - two)
    assert found == pytest.approx((plain + plain + area) / 3)


series = st.lists(
    st.tuples(st.integers(30, 60), st.none() | st.integers(1, 12)), min_size=1, max_size=8
).filter(lambda some: any(length for _, length in some))


@given(series, st.integers(0, 20))
def test_the_same_score_everywhere_has_the_mean_label(
    made: list[tuple[int, int | None]], buffer: int
):
    anomalies = [None if size is None else range(end - size, end) for end, size in made]
    ends = [end for end, _ in made]
    labels = [
        np.concatenate(
            [label(end, about, width) for end, about in zip(ends, anomalies, strict=True)]
        )
        for width in range(buffer + 1)
    ]
    blind = vus_pr([np.full(end, 3.0) for end in ends], anomalies, buffer)
    assert blind == pytest.approx(np.mean(labels))


@given(series, st.data())
def test_the_volume_is_that_of_its_definition_at_every_threshold(
    made: list[tuple[int, int | None]], data: st.DataObject
):
    anomalies = [None if size is None else range(end - size, end) for end, size in made]
    scores = [
        np.array(data.draw(st.lists(st.integers(0, 3), min_size=end, max_size=end)), float)
        for end, _ in made
    ]
    both = list(zip(scores, anomalies, strict=True))
    areas: list[float] = []
    for width in range(5):
        area = before = 0.0
        labels = [label(len(score), about, width) for score, about in both]
        weight = (sum(map(len, filter(None, anomalies))) + sum(map(np.sum, labels))) / 2
        for threshold in sorted(set(np.concatenate(scores).tolist()), reverse=True):
            over = [score >= threshold for score in scores]
            true = sum(float(some[on].sum()) for some, on in zip(labels, over, strict=True))
            found = [
                bool((some[on] > 0).any())
                for some, on, about in zip(labels, over, anomalies, strict=True)
                if about
            ]
            recall = min(1, true / weight) * sum(found) / len(found)
            area += true / sum(on.sum() for on in over) * (recall - before)
            before = recall
        areas.append(float(area))
    assert vus_pr(scores, anomalies, 4) == pytest.approx(np.mean(areas))


@given(series)
def test_what_ranks_the_ranges_first_has_everything_without_a_buffer(
    made: list[tuple[int, int | None]],
):
    anomalies = [None if size is None else range(end - size, end) for end, size in made]
    seer = [label(end, about, 0) for (end, _), about in zip(made, anomalies, strict=True)]
    assert vus_pr(seer, anomalies, 0) == pytest.approx(1)
    assert 0 < vus_pr(seer, anomalies) <= 1 + 1e-9


def test_noise_has_about_the_prevalence_and_a_clock_less_if_healthy_runs_are_longer():
    random = np.random.default_rng(0)
    anomalies = [range(30, 51) if at % 4 == 0 else None for at in range(200)]
    ends = [51 if about else 100 for about in anomalies]
    blind = vus_pr([np.zeros(end) for end in ends], anomalies)
    noise = vus_pr([random.normal(size=end) for end in ends], anomalies)
    assert noise == pytest.approx(blind, rel=0.1)
    assert vus_pr([np.arange(end, dtype=float) for end in ends], anomalies) < blind


def test_scores_that_are_not_known_come_last_and_any_increasing_map_changes_nothing():
    random = np.random.default_rng(1)
    scores = [random.normal(size=60) for _ in range(6)]
    anomalies = [range(40, 60), None, None] * 2
    assert vus_pr([np.exp(score) for score in scores], anomalies) == vus_pr(scores, anomalies)
    for score in scores:
        score[:20] = -math.inf
    assert vus_pr(scores, anomalies) == vus_pr(
        [np.where(np.isinf(score), -99, score) for score in scores], anomalies
    )


def test_without_any_range_there_is_no_volume():
    assert math.isnan(vus_pr([np.zeros(9)], [None]))
    assert math.isnan(vus_pr([], []))
