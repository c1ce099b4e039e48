"""Runs against each other: names in the address, groups, bands, and what differs."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.dashboards.columns import Column, Floats
from collapse_lab.dashboards.comparison import (
    ABSENT,
    BINS,
    differences,
    edges_of,
    group_band,
    groups,
    healthy_band,
    names_of,
    quoted,
)

NAN, INF = math.nan, math.inf


def run(steps: list[float], values: list[float]) -> tuple[Floats, Column]:
    return np.array(steps, float), Column(np.array(values, float), np.ones(len(values), bool))


@given(st.lists(st.text(min_size=1), unique=True))
def test_any_names_survive_the_address(names: list[str]) -> None:
    assert names_of({"runs": ",".join(map(quoted, names))}) == names


def test_only_settings_that_differ_are_told_and_an_absent_one_differs() -> None:
    same, mine, yours = {"lr": "1", "clip": "hard"}, {"seed": "0"}, {"seed": "1", "kl": "0"}
    found = differences({"a": same | mine, "b": same | yours})
    assert found == {"seed": ["0", "1"], "kl": [ABSENT, "0"]}


def test_groups_by_a_number_are_in_the_order_of_its_size() -> None:
    assert list(groups(["a", "b", "c", "d"], ["1e-5", "2e-6", "none", "1e-5"])) == [
        "2e-6", "1e-5", "none",
    ]  # fmt: skip


def test_a_group_is_its_median_and_the_range_that_its_runs_span() -> None:
    runs = [run([0, 1, 2], [1, 2, 3]), run([0, 1, 2], [2, 4, 6]), run([0, 1, 2], [9, 9, 0])]
    band = group_band(runs, edges_of([x for x, _ in runs], -INF, INF))
    assert band.x.tolist() == [0, 1, 2]
    assert band.middle.tolist() == [2, 4, 3]
    assert (band.low.tolist(), band.high.tolist()) == ([1, 2, 0], [9, 9, 6])
    assert band.count.tolist() == [3, 3, 3]


def test_a_run_that_logs_every_other_step_counts_with_the_line_between() -> None:
    runs = [run([0, 1, 2], [0, 0, 0]), run([0, 2], [2, 6])]
    band = group_band(runs, edges_of([x for x, _ in runs], -INF, INF))
    assert band.middle.tolist() == [1, 2, 3]  # 0 with 2, 4 and 6


def test_a_run_that_has_ended_counts_no_more() -> None:
    runs = [run([0, 1, 2], [1, 1, 1]), run([0], [3])]
    band = group_band(runs, edges_of([x for x, _ in runs], -INF, INF))
    assert band.middle.tolist() == [2, 1, 1]
    assert band.count.tolist() == [2, 1, 1]


def test_what_is_not_finite_is_marked_and_not_bridged() -> None:
    runs = [run([0, 1, 2], [1, NAN, 3]), run([0, 1, 2], [5, 6, INF])]
    band = group_band(runs, edges_of([x for x, _ in runs], -INF, INF))
    assert band.broken.tolist() == [1, 2]
    assert band.middle.tolist() == [3, 6, 3]
    assert band.count.tolist() == [2, 1, 1]


def test_a_spike_is_inside_the_range_however_long_the_run() -> None:
    values = np.zeros(100_000)
    values[54_321] = 7
    runs = [(np.arange(100_000.0), Column(values, np.ones(100_000, bool)))]
    edges = edges_of([runs[0][0]], -INF, INF)
    band = group_band(runs, edges)
    assert len(band.x) == BINS
    assert band.high.max() == 7


def test_bins_cover_only_the_steps_that_are_asked_for() -> None:
    runs = [run([0, 1, 2, 3], [1, 2, 3, 4])]
    assert group_band(runs, edges_of([runs[0][0]], 1, 2)).middle.tolist() == [2, 3]


def test_nothing_to_show_is_an_empty_band() -> None:
    assert len(group_band([], edges_of([], -INF, INF)).x) == 0
    missing = (np.arange(3.0), Column(np.zeros(3), np.zeros(3, bool)))
    assert np.isnan(group_band([missing], edges_of([missing[0]], -INF, INF)).middle).all()


def test_the_healthy_band_holds_nine_tenths_of_the_values_at_a_step() -> None:
    runs = [run([0, 1], [value, value]) for value in range(101)]
    band = healthy_band(runs)
    assert band is not None
    known = np.isfinite(band.middle)
    assert set(band.middle[known]) == {50}
    assert (set(band.low[known]), set(band.high[known])) == ({5}, {95})


def test_at_any_step_the_healthy_band_is_one_level() -> None:
    runs = [run([0, 1, 2], [0, 50, 100])] * 3
    band = healthy_band(runs, by_step=False)
    assert band is not None
    assert (band.middle.tolist(), band.count.tolist()) == ([50], [3])


def test_two_healthy_runs_make_no_band() -> None:
    assert healthy_band([run([0, 1], [1, 2])] * 2) is None
