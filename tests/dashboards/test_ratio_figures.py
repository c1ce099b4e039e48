"""Figures of the importance ratio: where things stand, and what is never lost."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
import pytest

from collapse_lab.configured.clipping import Clip
from collapse_lab.dashboards.columns import Column, Floats
from collapse_lab.dashboards.curves import Window
from collapse_lab.dashboards.histories import Heat
from collapse_lab.dashboards.ratio_drawing import LEVELS, bounds_of, panels_of
from collapse_lab.dashboards.ratio_heat_map import COLOURS, colour_scale, heat_map, position
from collapse_lab.dashboards.ratio_quadrants import quadrants
from collapse_lab.dashboards.ratio_scene import Scene
from collapse_lab.dashboards.ratio_weights import median_of_five, tail_shape
from collapse_lab.signals import HISTOGRAMS

BINS = HISTOGRAMS["ratio/log"]
NAN = math.nan


def column(*values: float | None) -> Column:
    present = np.array([value is not None for value in values])
    return Column(np.array([NAN if value is None else value for value in values]), present)


def scene(rows: int, theme: str = "light", **window: Any) -> Scene:
    x = np.arange(rows, dtype=float)
    return Scene(x, x, Window(**window), (0.0, rows - 1.0), (), (), theme)


def unpacked(array: Any) -> Floats:
    values = np.frombuffer(base64.b64decode(array["bdata"]), "<f8")
    shape = array.get("shape")
    return values.reshape([int(n) for n in shape.split(",")]) if shape else values


def test_every_edge_stands_one_above_the_next_and_zero_in_the_middle() -> None:
    edges = np.array(BINS.edges)
    assert position(BINS, edges) == pytest.approx(np.arange(len(edges)))
    assert position(BINS, np.array([0.0])) == pytest.approx((len(edges) - 1) / 2)
    assert position(BINS, np.array([-99.0, 99.0])).tolist() == [-0.5, len(edges) - 0.5]


def test_the_cells_hold_the_shares_and_empty_ones_are_not_drawn() -> None:
    share = np.zeros((2, len(BINS.edges) + 1))
    share[0, 64], share[1, 64], share[1, 70] = 1.0, 0.25, 0.75
    heat = Heat(share, np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    cells = heat_map(BINS, heat, {}, [], scene(2))["data"][0]
    z = unpacked(cells["z"])
    assert np.nansum(z, 0).tolist() == [1.0, 1.0]
    assert np.count_nonzero(np.isfinite(z)) == 3
    assert unpacked(cells["x"]).tolist() == [-0.5, 0.5, 1.5]
    assert len(cells["y"]) == z.shape[0] + 1
    row = cells["y"].index(63)
    assert z[row].tolist() == [1.0, 0.25]
    assert unpacked(cells["customdata"])[row] == pytest.approx([0.0, 0.0], abs=1e-4)


def test_a_run_without_histograms_shows_its_quantiles() -> None:
    quantiles = {"0.01 quantile": column(-0.1, -0.2), "0.99 quantile": column(0.1, 0.2)}
    figure = heat_map(BINS, None, quantiles, [], scene(2))
    assert [trace["type"] for trace in figure["data"]] == ["scatter", "scatter"]
    low, high = figure["layout"]["yaxis"]["range"]
    assert low < position(BINS, np.array([-0.2]))[0] and high > position(BINS, np.array([0.2]))[0]


def test_colours_are_even_in_the_logarithm_of_the_share_and_in_lightness() -> None:
    scale = colour_scale("light")
    assert [share for share, _ in scale] == pytest.approx(
        [0, *(10 ** (-4 + k / 2) for k in range(9))]
    )
    for stops in COLOURS.values():
        steps = np.diff([_oklab_lightness(stop) for stop in stops])
        assert np.all(steps < 0) or np.all(steps > 0)
        assert np.ptp(steps) < 0.05


def _oklab_lightness(colour: str) -> float:
    srgb = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    to_lms = [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451,
              0.1073969566], [0.0883024619, 0.2817188376, 0.6299787005]]  # fmt: skip
    return float(np.dot([0.2104542553, 0.7936177850, -0.0040720468], np.cbrt(to_lms @ linear)))


def test_a_clip_on_tokens_is_drawn_on_their_histogram_alone() -> None:
    clip = Clip("token", math.log(0.8), math.log(1.2), "")
    ends = bounds_of(clip, LEVELS["token"], None, np.arange(3.0))
    assert [end.text for end in ends] == ["clip at ratio 0.8", "clip at ratio 1.2"]
    assert bounds_of(clip, LEVELS["sequence"], column(10, 20, 30), np.arange(3.0)) == []


def test_a_clip_on_the_mean_of_a_response_is_drawn_at_its_mean_length() -> None:
    clip = Clip("mean", -0.003, 0.004, "", mask=0.002)
    low, high, mask = bounds_of(clip, LEVELS["sequence"], column(10, None, 30), np.arange(3.0))
    assert low.y == pytest.approx([-0.03, NAN, -0.09], nan_ok=True)
    assert high.y == pytest.approx([0.04, NAN, 0.12], nan_ok=True)
    assert mask.dotted and mask.y[0] == pytest.approx(-0.02)
    assert bounds_of(clip, LEVELS["token"], None, np.arange(3.0)) == []


def test_the_median_is_that_of_the_last_five_finite_values() -> None:
    medians = median_of_five(column(1, NAN, 3, None, 5, 6, 7, 8))
    assert medians.values.tolist() == [1, 1, 2, 2, 3, 5, 5.5, 6.5]


def test_the_tail_is_drawn_with_its_median_and_the_line_that_it_should_stay_under() -> None:
    khat = column(0.1, 0.2, 0.3)
    figure = tail_shape("ratio/khat", khat, column(0.1, 0.15, 0.2), scene(3))
    assert unpacked(figure["data"][1]["y"]).tolist() == [0.1, 0.15, 0.2]
    assert figure["layout"]["shapes"][-1]["y0"] == 0.7
    assert figure["layout"]["yaxis"]["range"][1] > 0.7


def test_the_quadrants_stack_by_their_means_and_what_is_not_finite_is_marked() -> None:
    rows = 1000
    values = np.tile([0.2, 0.4], rows // 2)
    values[7] = NAN
    shares = {"neg_low": Column(values, np.ones(rows, bool))}
    bars, broken = quadrants(shares, scene(rows))["data"]
    y = unpacked(bars["y"])
    assert len(y) == 480
    assert y[-1] == pytest.approx(0.3)
    assert unpacked(bars["width"]).sum() == pytest.approx(rows)
    assert broken["x"] == [7.0]


def test_a_run_gets_the_panels_that_it_has_something_for() -> None:
    assert panels_of(["reward/mean"], []) == []
    assert panels_of(["ratio/khat"], ["ratio/log"]) == ["heat:ratio/log", "khat:ratio/khat"]
    logged = ["ratio/ess_frac", "ratio/max", "kl/ref_share_neg_low"]
    assert panels_of(logged, []) == ["ess:ratio/ess_frac", "share:kl/ref", "plain:ratio/max"]
    quantiles = [f"ratio/log_q{q}" for q in ("01", "50", "99")]
    assert panels_of(quantiles, []) == ["heat:ratio/log"]
