"""How far the policy has moved from the one that made the data, and what the loss does about it.

w = new / old. Token signals have no prefix; `sequence_` is the product over a response. Ratios are
raw: clipping or truncating them first would hide the tail that these signals are there to show.
"""

from __future__ import annotations

import torch
from torch import Tensor

from collapse_lab.probes.parts import (
    Covariance,
    EffectiveSize,
    Histogram,
    Largest,
    Mean,
    Parts,
    Smallest,
    Tail,
)
from collapse_lab.probes.tensors import StepTensors, slopes

SEQUENCE_MASK_DELTA = 3e-3
"""Mean drop of the log-prob beyond which ARLArena's scripts mask a response out."""


def ratios(tensors: StepTensors) -> Parts:
    """Size and tail of the ratio, by token and by sequence."""
    log_w_N, w_N, log_W_B = tensors.log_ratio_N, tensors.ratio_N, tensors.sequence_log_ratio_B
    k3_N = tensors.old_k3_N
    if log_w_N is None or w_N is None or log_W_B is None or k3_N is None:
        return {}
    return {
        "ratio/max": Largest.of(w_N),
        "ratio/m2": Mean.of(log_w_N.square()),
        "ratio/ess_frac": EffectiveSize.of(log_w_N),
        "ratio/khat": Tail.of(log_w_N),
        "ratio/sequence_ess_frac": EffectiveSize.of(log_W_B),
        "kl/old": Mean.of(k3_N),
    }


def spread(tensors: StepTensors) -> Parts:
    """What else there is to the distribution of the ratio; not recorded by mini-batch."""
    log_w_N, w_N, log_W_B = tensors.log_ratio_N, tensors.ratio_N, tensors.sequence_log_ratio_B
    if log_w_N is None or w_N is None or log_W_B is None:
        return {}
    return {
        "ratio/mean": Mean.of(w_N),
        "ratio/min": Smallest.of(w_N),
        "ratio/chi2": Mean.of(w_N.square() - 1),
        "ratio/log": Histogram.of("ratio/log", log_w_N),
        "ratio/sequence_khat": Tail.of(log_W_B),
        "ratio/sequence_log": Histogram.of("ratio/sequence_log", log_W_B),
    }


def reference(tensors: StepTensors) -> Parts:
    """k3 estimate of KL(policy || reference), from tokens of (about) the policy."""
    return {} if tensors.ref_k3_N is None else {"kl/ref": Mean.of(tensors.ref_k3_N)}


def quadrants(tensors: StepTensors) -> Parts:
    """Where the movement is, by the sign of the advantage and the side of the ratio.

    Out of band is what a hard clip would cut: A < 0 with w < 1 - low, A > 0 with w > 1 + high.
    The KL shares follow ARLArena's Fig. 4: of the k3 divergence from the reference (and from the
    old policy), the share carried by each quadrant. `sequence_mask_frac` is the share of responses
    that its sequence mask would drop.
    """
    log_w_N, w_N, log_W_B = tensors.log_ratio_N, tensors.ratio_N, tensors.sequence_log_ratio_B
    adv_N, logp_N = tensors.adv_N, tensors.logp_N
    if log_w_N is None or w_N is None or log_W_B is None or adv_N is None or logp_N is None:
        return {}
    below, above = tensors.band
    drift_B = -log_W_B / tensors.length_B[tensors.length_B > 0]
    parts: Parts = {
        "ratio/out_low_frac": Mean.of((adv_N < 0) & (w_N < 1 - below)),
        "ratio/out_high_frac": Mean.of((adv_N > 0) & (w_N > 1 + above)),
        "ratio/sequence_mask_frac": Mean.of(
            (tensors.row_sums(adv_N) < 0) & (drift_B > SEQUENCE_MASK_DELTA)
        ),
        "policy/logp_advantage_cov": Covariance.of(logp_N, adv_N),
    }
    divergences = {"old": tensors.old_k3_N, "ref": tensors.ref_k3_N}
    corner_N = (3 * torch.sign(adv_N) + torch.sign(log_w_N) + 4).nan_to_num(4).long()
    for other, k3_N in divergences.items():
        if k3_N is None:
            continue
        corners = k3_N.new_zeros(9).index_add(0, corner_N, k3_N)
        whole = corners.sum()
        for name, corner in CORNERS.items():
            parts[f"kl/{other}_share_{name}"] = Mean(corners[corner], whole)
    return parts


CORNERS = {"neg_low": 0, "neg_high": 2, "pos_low": 6, "pos_high": 8}
"""Cells of the table of sign A (-, 0, +) by sign log w (-, 0, +)."""


def gate(tensors: StepTensors) -> Parts:
    """How much of the gradient the loss lets through, by one definition for every algorithm.

    The gate of a token is d gain / d log_ratio over advantage * ratio: 1 open, 0 shut, between for
    soft gates. `clip_gate` weighs tokens by |advantage * ratio|, so it is the share of the
    unclipped gradient that survives; the clip fractions count the tokens with no gradient left,
    among those that have an advantage, in all and on either side of w = 1.
    """
    slope_N, log_w_N, adv_N = slopes(tensors), tensors.log_ratio_N, tensors.adv_N
    if slope_N is None or log_w_N is None or adv_N is None or tensors.ratio_N is None:
        return {}
    counts_N = adv_N != 0
    shut_N = counts_N & (slope_N == 0)

    count = counts_N.count_nonzero().double()

    def share(which_N: Tensor) -> Mean:
        return Mean(which_N.count_nonzero().double(), count)

    return {
        "ratio/clip_gate": Mean(
            (slope_N * adv_N.sign()).sum(), (adv_N.abs() * tensors.ratio_N).sum()
        ),
        "ratio/clip_frac": share(shut_N),
        "ratio/clip_frac_low": share(shut_N & (log_w_N < 0)),
        "ratio/clip_frac_high": share(shut_N & (log_w_N > 0)),
    }
