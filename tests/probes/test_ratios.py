from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from step_examples import random_tensors, tensors_of

from collapse_lab.probes import measure
from collapse_lab.probes.tensors import StepTensors
from collapse_lab.trainers.clips import (
    ClippedWeight,
    HardClip,
    PerSequence,
    SequenceGate,
    SequenceMask,
    SoftGate,
)


def values(tensors: StepTensors) -> dict[str, float]:
    return measure(tensors)[0]


def test_token_ratios_by_hand():
    got = values(tensors_of([[2.0, 0.5], [1.0]], [1.0, 1.0]))
    assert got["ratio/mean"] == pytest.approx(3.5 / 3)
    assert (got["ratio/max"], got["ratio/min"]) == (pytest.approx(2), pytest.approx(0.5))
    assert got["ratio/m2"] == pytest.approx(2 * math.log(2) ** 2 / 3)
    assert got["ratio/chi2"] == pytest.approx((4 + 0.25 + 1) / 3 - 1)
    assert got["ratio/ess_frac"] == pytest.approx(3.5**2 / (3 * 5.25))
    assert got["kl/old"] == pytest.approx((3.5 - 3) / 3)


def test_a_sequence_is_the_product_of_its_tokens():
    got = values(tensors_of([[2.0, 0.5], [3.0, 2.0, 1.0]], [1.0, 1.0]))
    assert got["ratio/sequence_ess_frac"] == pytest.approx(49 / (2 * 37))


def test_ess_is_one_over_one_plus_the_squared_coefficient_of_variation():
    tensors = random_tensors(0)
    w = (tensors.logp - tensors.old_logp)[tensors.mask].exp().numpy()  # pyright: ignore
    got = values(tensors)["ratio/ess_frac"]
    assert got == pytest.approx(1 / (1 + (np.std(w) / np.mean(w)) ** 2))


def test_on_policy_nothing_has_moved():
    got = values(tensors_of([[1.0, 1.0], [1.0]], [1.0, -1.0], clip=HardClip()))
    for name in ("kl/old", "ratio/m2", "ratio/chi2", "ratio/clip_frac", "ratio/out_low_frac"):
        assert got[name] == 0
    for name in ("ratio/ess_frac", "ratio/sequence_ess_frac", "ratio/clip_gate", "ratio/max"):
        assert got[name] == pytest.approx(1)
    assert "kl/old_share_neg_low" not in got


def test_out_of_band_counts_the_two_dangerous_corners_over_all_tokens():
    got = values(tensors_of([[0.7, 0.9, 1.3], [0.7, 1.1, 1.3, 1.4]], [-1.0, 1.0]))
    assert got["ratio/out_low_frac"] == pytest.approx(1 / 7)
    assert got["ratio/out_high_frac"] == pytest.approx(2 / 7)
    wide = values(tensors_of([[0.7], [1.3]], [-1.0, 1.0], band=(0.5, 0.5)))
    assert (wide["ratio/out_low_frac"], wide["ratio/out_high_frac"]) == (0, 0)


def test_quadrant_shares_are_of_the_divergence_and_sum_to_one_where_each_token_has_a_side():
    k3 = {w: w - 1 - math.log(w) for w in (0.5, 2.0, 0.8, 1.5)}
    got = values(tensors_of([[0.5, 2.0], [0.8, 1.5]], [-1.0, 1.0]))
    total = sum(k3.values())
    wanted = {"neg_low": 0.5, "neg_high": 2.0, "pos_low": 0.8, "pos_high": 1.5}
    for corner, w in wanted.items():
        assert got[f"kl/old_share_{corner}"] == pytest.approx(k3[w] / total)


def test_reference_divergence_is_k3_of_the_policy_from_the_reference_with_its_own_shares():
    tensors = tensors_of([[0.5, 2.0]], [-1.0])
    assert tensors.logp is not None
    gap = torch.tensor([[0.3, -0.4]], dtype=torch.float64)
    got = values(replace(tensors, ref_logp=tensors.logp + gap))
    low, high = math.exp(0.3) - 1 - 0.3, math.exp(-0.4) - 1 + 0.4
    assert got["kl/ref"] == pytest.approx((low + high) / 2)
    assert got["kl/ref_share_neg_low"] == pytest.approx(low / (low + high))
    assert got["kl/ref_share_pos_low"] == 0


def test_the_sequence_mask_hits_rows_pushed_down_that_have_dropped_on_average():
    down = [0.99, 0.99]
    got = values(tensors_of([down, down, [0.5, 2.5], [0.998]], [-1.0, 1.0, -1.0, -1.0]))
    assert got["ratio/sequence_mask_frac"] == 0.25


def test_the_covariance_is_that_of_log_prob_and_advantage():
    tensors = tensors_of([[1.0, 2.0], [4.0]], [1.0, -2.0])
    logp = -1 + np.log([1.0, 2.0, 4.0])
    wanted = np.cov(logp, [1.0, 1.0, -2.0], ddof=0)[0, 1]
    assert values(tensors)["policy/logp_advantage_cov"] == pytest.approx(wanted)


ROWS, ADVANTAGES = [[0.5, 1.0], [1.5, 1.0]], [-2.0, 1.0]


def test_the_gate_of_a_hard_clip_is_the_gradient_left_of_the_unclipped_one():
    # |A w|: 1, 2, 1.5, 1; the first (A < 0, w < 0.8) and third (A > 0, w > 1.2) are shut
    got = values(tensors_of(ROWS, ADVANTAGES, clip=HardClip()))
    assert got["ratio/clip_gate"] == pytest.approx(3 / 5.5)
    assert got["ratio/clip_frac"] == 0.5
    assert (got["ratio/clip_frac_low"], got["ratio/clip_frac_high"]) == (0.25, 0.25)


def test_the_gate_of_cispo_is_its_cap_and_shuts_no_token():
    got = values(tensors_of(ROWS, ADVANTAGES, clip=ClippedWeight()))
    assert got["ratio/clip_gate"] == pytest.approx((1 + 2 + 1.2 + 1) / 5.5)
    assert got["ratio/clip_frac"] == 0


def test_the_gate_of_sapo_lies_between():
    hard, soft = (
        values(tensors_of(ROWS, ADVANTAGES, clip=clip))["ratio/clip_gate"]
        for clip in (HardClip(), SoftGate())
    )
    assert hard < soft < 1


@pytest.mark.parametrize("clip", [PerSequence(), SequenceGate(), SequenceMask(SoftGate())])
def test_every_clip_has_its_gate_open_on_policy(clip):
    assert values(tensors_of([[1.0, 1.0]], [-1.0], clip=clip))["ratio/clip_gate"] == pytest.approx(
        1
    )


def test_tokens_without_advantage_have_no_gradient_to_clip():
    got = values(tensors_of([[5.0], [5.0]], [0.0, 1.0], clip=HardClip()))
    assert (got["ratio/clip_frac"], got["ratio/clip_gate"]) == (1, 0)


def test_an_advantage_may_be_given_by_token():
    by_row = tensors_of([[0.5, 2.0], [1.5]], [-1.0, 2.0], clip=HardClip())
    by_token = replace(by_row, advantage=torch.tensor([[-1.0, -1.0], [2.0, 2.0]]).double())
    assert values(by_token) == values(by_row)


def test_a_non_finite_log_prob_shows():
    tensors = tensors_of([[1.0, 1.0]], [1.0])
    assert tensors.logp is not None
    got = values(replace(tensors, logp=torch.tensor([[-1.0, math.nan]], dtype=torch.float64)))
    assert math.isnan(got["ratio/mean"])
    assert math.isnan(got["ratio/max"])


def test_measuring_changes_no_tensor_and_builds_no_graph():
    tensors = random_tensors(1, clip=PerSequence())
    assert tensors.logp is not None
    leaf = tensors.logp.clone().requires_grad_()
    before = leaf.detach().clone()
    measure(replace(tensors, logp=leaf))
    assert leaf.grad is None
    assert torch.equal(leaf, before)


def test_a_shape_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"entropy has shape \(2,\), which does not go with"):
        StepTensors(mask=torch.ones(2, 3, dtype=torch.bool), entropy=torch.zeros(2))
