from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from collapse_lab.probes.parts import (
    Correlation,
    Covariance,
    EffectiveSize,
    Histogram,
    Largest,
    LargestMean,
    Mean,
    Smallest,
    Spread,
    Tail,
)
from collapse_lab.probes.reduction import merged, on_host, read
from collapse_lab.signals import HISTOGRAMS

X = torch.tensor([1.0, 2.0, 4.0, 9.0], dtype=torch.float64)
Y = torch.tensor([2.0, 1.0, 5.0, 3.0], dtype=torch.float64)


def everything(x: Tensor, y: Tensor) -> dict[str, Any]:
    return {
        "mean": Mean.of(x),
        "largest": Largest.of(x),
        "smallest": Smallest.of(x),
        "spread": Spread.of(x),
        "covariance": Covariance.of(x, y),
        "correlation": Correlation.of(x, y),
        "size": EffectiveSize.of(x),
        "tail": Tail.of(x),
        "ratio/log": Histogram.of("ratio/log", x),
    }


def test_values_are_those_of_numpy_and_scipy():
    values, _ = read(everything(X, Y))
    x, y = X.numpy(), Y.numpy()
    assert values["mean"] == 4
    assert (values["largest"], values["smallest"]) == (9, 1)
    assert values["spread"] == pytest.approx(np.std(x, ddof=1))
    assert values["covariance"] == pytest.approx(np.cov(x, y, ddof=0)[0, 1])
    assert values["correlation"] == pytest.approx(stats.pearsonr(x, y)[0])
    w = np.exp(x)
    assert values["size"] == pytest.approx(w.sum() ** 2 / (4 * (w**2).sum()))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 299), st.integers(1, 299), st.integers(0, 10**6))
def test_however_the_numbers_are_split_the_values_are_the_same(a, b, seed):
    make = torch.Generator().manual_seed(seed)
    x, y = torch.randn(2, 300, generator=make, dtype=torch.float64)
    cuts = [0, *sorted((a, b)), 300]
    pieces = [slice(i, j) for i, j in pairwise(cuts) if i < j]
    together = merged([everything(x[piece], y[piece]) for piece in pieces])
    (whole, histograms), (split, split_histograms) = read(everything(x, y)), read(together)
    assert split == pytest.approx(whole, rel=1e-9, abs=1e-12)
    assert split_histograms == histograms


def test_the_tail_of_a_union_does_not_need_more_than_its_capacity():
    x = torch.randn(30_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    part = Tail.of(x[:7000]).joined([Tail.of(x[7000:])])
    assert len(part.top) == Tail.CAPACITY
    assert part.value() == Tail.of(x).value()


def test_a_share_is_the_mean_of_true():
    assert Mean.of(torch.tensor([True, False, False, True])).value() == 0.5


def test_what_has_counted_nothing_has_no_value():
    nothing = {"a": Mean.ratio(0.0, 0.0), "b": Spread.of(X[:1]), "c": Correlation.of(X * 0, X)}
    assert read(nothing) == ({}, {})


def test_non_finite_numbers_are_kept():
    bad = torch.tensor([1.0, math.nan, 2.0])
    values, _ = read({"mean": Mean.of(bad), "max": Largest.of(bad), "min": Smallest.of(bad)})
    assert all(math.isnan(value) for value in values.values())
    values, _ = read({"mean": Mean.of(torch.tensor([1.0, math.inf]))})
    assert values == {"mean": math.inf}


def test_sequence_weights_beyond_floating_point_still_have_an_effective_size():
    # weights e^2000 and e^2000 against two of nearly nothing: 2 of 4
    assert EffectiveSize.of(torch.tensor([2000.0, 2000.0, 0.0, -5.0])).value() == pytest.approx(0.5)


def test_a_histogram_counts_all_and_its_open_bins_take_what_is_beyond_the_edges():
    edges = HISTOGRAMS["ratio/log"].edges
    values = torch.tensor([-1e9, 0.0, 0.0, 1e9, math.nan])
    counts = Histogram.of("ratio/log", values).counts
    assert len(counts) == len(edges) + 1
    assert (counts[0], counts[-1], counts.sum()) == (1, 2, 5)
    assert counts[len(edges) // 2] == 2


@pytest.mark.parametrize("scale", [0.003, 0.1, 2.0])
def test_quantiles_are_exact_to_a_bin(scale):
    edges = np.array(HISTOGRAMS["ratio/log"].edges)
    x = np.random.default_rng(0).normal(0, scale, 20_000)
    got = Histogram.of("ratio/log", torch.tensor(x)).values("ratio/log")
    for level in (0.01, 0.5, 0.99):
        truth = np.quantile(x, level)
        place = np.searchsorted(edges, truth)
        error = abs(got[f"ratio/log_q{100 * level:02.0f}"] - truth)
        assert error <= edges[place] - edges[place - 1]


def test_on_policy_the_median_log_ratio_is_zero():
    values = Histogram.of("ratio/log", torch.zeros(10)).values("ratio/log")
    assert values["ratio/log_q50"] == pytest.approx(0, abs=1e-12)


def test_the_largest_mean_is_that_of_the_worst_mini_batch():
    values, mini = torch.tensor([1.0, 3.0, 5.0, 1.0]), torch.tensor([0, 0, 1, 1])
    assert LargestMean.of(values, mini, 2).value() == 3
    more = LargestMean.of(torch.tensor([8.0]), torch.tensor([0]), 2)
    assert LargestMean.of(values, mini, 2).joined([more]).value() == 4


def test_a_mini_batch_without_a_token_has_no_mean_that_could_be_the_largest():
    values, mini = torch.tensor([1.0, 3.0]), torch.tensor([0, 2])
    assert LargestMean.of(values, mini, 4).value() == 3
    assert LargestMean.of(values[:0], mini[:0], 4).value() is None


def test_ranks_may_differ_in_the_mini_batches_that_they_have_rows_of():
    one = LargestMean.of(torch.tensor([1.0, 2.0]), torch.tensor([0, 1]), 2)
    other = LargestMean.of(torch.tensor([3.0, 2.5]), torch.tensor([0, 2]), 3)
    assert one.joined([other]).value() == other.joined([one]).value() == 2.5


def test_on_host_changes_nothing_but_the_place():
    parts = everything(X, Y)
    assert read(on_host(parts)) == read(parts)
