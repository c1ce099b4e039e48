from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from collapse_lab.trainers.clips import (
    CLIPS,
    Bounded,
    Clip,
    ClippedWeight,
    HardClip,
    PerSequence,
    SecondMoment,
    SequenceGate,
    SequenceMask,
    SoftGate,
)


@pytest.fixture(autouse=True)
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def slope(clip: Clip, log_ratio: Tensor, adv: Tensor, mask: Tensor | None = None) -> Tensor:
    """d gain / d log_ratio."""
    mask = torch.ones_like(log_ratio, dtype=torch.bool) if mask is None else mask
    leaf = log_ratio.clone().requires_grad_()
    return torch.autograd.grad(clip(leaf, adv, mask).sum(), leaf)[0]


def gain(clip: Clip, log_ratio: Tensor, adv: Tensor) -> Tensor:
    return clip(log_ratio, adv, torch.ones_like(log_ratio, dtype=torch.bool))


def row(*ratios: float) -> Tensor:
    return torch.tensor([ratios]).log()


@pytest.mark.parametrize("name", CLIPS)
def test_on_policy_every_clip_has_the_slope_of_the_advantage(name):
    adv = torch.tensor([[1.5, 1.5], [-0.5, -0.5]])
    assert torch.allclose(slope(CLIPS[name](), torch.zeros(2, 2), adv), adv)


def test_hard_clip_has_no_slope_beyond_the_band_and_only_on_the_side_that_it_clips():
    ratios = row(0.7, 0.9, 1.1, 1.3)
    assert torch.allclose(slope(HardClip(), ratios, torch.ones(1, 4)), row(0.7, 0.9, 1.1, 0).exp())
    down = slope(HardClip(), ratios, -torch.ones(1, 4))
    assert torch.allclose(down, -torch.tensor([[0, 0.9, 1.1, 1.3]]))


def test_hard_clip_values_are_the_smaller_of_both():
    both = torch.tensor([[1.0, -1.0]])
    assert torch.allclose(gain(HardClip(), row(1.5, 1.5), both), torch.tensor([[1.2, -1.5]]))
    assert torch.allclose(gain(HardClip(), row(0.5, 0.5), both), torch.tensor([[0.5, -0.8]]))


def test_the_dual_clip_ends_the_slope_of_a_huge_ratio_with_a_negative_advantage():
    ratios = row(2.0, 4.0)
    assert torch.allclose(
        slope(HardClip(dual=3.0), ratios, -torch.ones(1, 2)), torch.tensor([[-2.0, 0]])
    )
    assert gain(HardClip(dual=3.0), ratios, -torch.ones(1, 2))[0, 1] == -3.0
    assert slope(HardClip(), ratios, -torch.ones(1, 2))[0, 1] == pytest.approx(-4)


def test_cispo_keeps_a_slope_everywhere_and_caps_it():
    ratios = row(0.01, 0.5, 1.0, 5.0)
    for sign in (1.0, -1.0):
        adv = torch.full((1, 4), sign)
        assert torch.allclose(
            slope(ClippedWeight(), ratios, adv), sign * torch.tensor([[0.01, 0.5, 1.0, 1.2]])
        )


def test_sapo_has_slope_one_at_one_and_its_published_weight_elsewhere():
    for tau, sign in ((1.0, 1.0), (1.05, -1.0)):
        ratio = 1.7
        p = 1 / (1 + math.exp(-tau * (ratio - 1)))
        got = slope(SoftGate(), row(1.0, ratio), torch.full((1, 2), sign))
        assert got[0, 0].item() == pytest.approx(sign)
        assert got[0, 1].item() == pytest.approx(sign * ratio * 4 * p * (1 - p))
    assert gain(SoftGate(tau_positive=2.0), row(1.0), torch.ones(1, 1)).item() == pytest.approx(1.0)


def test_vespo_weighs_a_row_by_its_whole_product():
    # W = 2 * 0.5 * 1.5 = 1.5
    up = 1.5**2 * math.exp(3 * (1 - 1.5))
    down = 1.5**3 * math.exp(2 * (1 - 1.5))
    ratios = row(2.0, 0.5, 1.5)
    for sign, weight in ((1.0, up), (-1.0, down)):
        got = slope(SequenceGate(), ratios, torch.full((1, 3), sign))
        assert torch.allclose(got, torch.full((1, 3), sign * weight))


def test_vespo_survives_a_product_beyond_floating_point():
    for shift in (100.0, -100.0):
        got = slope(SequenceGate(), torch.full((1, 50), shift), torch.ones(1, 50))
        assert torch.isfinite(got).all()
        assert got.abs().max() < 1e-6


def test_a_sequence_clips_on_the_geometric_mean_of_its_ratios():
    clip = PerSequence(HardClip(0.2, 0.2))
    # geometric means: sqrt(2 * 0.5) = 1 keeps, sqrt(2 * 1) = 1.41 is clipped
    ratios = torch.tensor([[2.0, 0.5], [2.0, 1.0]]).log()
    assert torch.allclose(slope(clip, ratios, torch.ones(2, 2)), torch.tensor([[1.0, 1], [0, 0]]))
    assert torch.allclose(
        slope(clip, ratios, -torch.ones(2, 2))[1], torch.full((2,), -math.sqrt(2))
    )


def test_padding_does_not_count_in_a_sequence():
    mask = torch.tensor([[True, False]])
    log_ratio = torch.tensor([[0.1, 0.0]])
    got = PerSequence(HardClip(0.2, 0.2))(log_ratio, torch.ones(1, 2), mask)
    assert got[0, 0].item() == pytest.approx(math.exp(0.1))


def test_the_sequence_mask_drops_only_rows_that_are_pushed_down_and_already_left_behind():
    behind, ahead = torch.tensor([[-0.02, -0.02]]), torch.tensor([[0.02, 0.02]])
    log_ratio = torch.cat([behind, behind, ahead, ahead])
    adv = torch.tensor([[-1.0], [1.0], [-1.0], [1.0]]).expand(4, 2)
    got = slope(SequenceMask(ClippedWeight(), delta=3e-3), log_ratio, adv)
    assert (got[0] == 0).all()
    assert (got[1:] != 0).all()
    assert (slope(SequenceMask(ClippedWeight(), delta=0.03), log_ratio, adv) != 0).all()


def test_the_sequence_mask_looks_at_the_mean_over_the_row():
    log_ratio = torch.tensor([[-0.5, 0.6]])
    assert (slope(SequenceMask(ClippedWeight()), log_ratio, -torch.ones(1, 2)) != 0).all()


def test_m2po_trims_the_worst_pushed_tokens_until_the_rest_is_within_the_limit():
    log_ratio = torch.tensor([[0.1, 0.5, 0.3, -2.0]])  # squares .01 .25 .09; the last is not pushed
    got = slope(SecondMoment(limit=0.05), log_ratio, torch.ones(1, 4))
    # (.01 + .09) / 2 = .05 keeps two, (.01 + .09 + .25) / 3 = .117 does not keep three
    assert torch.allclose(got, torch.tensor([[1, 0, 1, 1]]) * log_ratio.exp())


def test_m2po_over_the_call_is_the_papers_rule_and_the_rows_are_the_stricter():
    log_ratio = torch.tensor([[0.1, 0.1], [0.3, 0.3]])
    adv = torch.ones(2, 2)
    by_row = slope(SecondMoment(limit=0.05), log_ratio, adv) != 0
    together = slope(SecondMoment(limit=0.05, by_row=False), log_ratio, adv) != 0
    assert by_row.tolist() == [[True, True], [False, False]]
    assert together.tolist() == [[True, True], [True, True]]


def test_bounded_holds_the_log_ratio_before_it_is_exponentiated():
    wild = torch.tensor([[1000.0]])
    assert gain(HardClip(), wild, -torch.ones(1, 1)).item() == -math.inf
    assert gain(Bounded(HardClip()), wild, -torch.ones(1, 1)).item() == pytest.approx(-math.exp(20))


def test_combinations_that_cannot_mean_anything_say_why():
    with pytest.raises(ValueError, match="nothing left to pool"):
        PerSequence(PerSequence())
    with pytest.raises(ValueError, match="nothing left to pool"):
        PerSequence(SequenceGate())
    with pytest.raises(ValueError, match="no worst token"):
        PerSequence(SecondMoment())
    with pytest.raises(ValueError, match="smaller delta"):
        SequenceMask(SequenceMask())


def test_an_unnamed_combination_runs():
    clip = SequenceMask(PerSequence(SoftGate()))
    assert torch.isfinite(slope(clip, torch.randn(3, 5), torch.randn(3, 1).expand(3, 5))).all()
