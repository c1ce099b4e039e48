"""How far the engine that drew the tokens is from the trainer's account of the same policy.

r = trainer / sampler on the sampled tokens, where `old_logp` is the trainer's recomputation. In
sync r is 1 up to rounding; kernels, quantisation and stale weights move it.
"""

from __future__ import annotations

import math

from collapse_lab.probes.parts import (
    Correlation,
    EffectiveSize,
    Largest,
    Mean,
    Parts,
    Smallest,
    Spread,
)
from collapse_lab.probes.tensors import StepTensors


def mismatch(tensors: StepTensors) -> Parts:
    """Estimators of the divergence sampler || trainer, and the tails of r.

    `extreme_frac` is F(2) of Routing Replay (2510.11370): the share with r or 1/r above 2.
    """
    trainer_N = tensors.old_logp_N
    if tensors.sampler_logp is None or trainer_N is None:
        return {}
    sampler_N = tensors.tokens(tensors.sampler_logp)
    log_r_N = trainer_N - sampler_N
    r_N = log_r_N.exp()
    p_N, q_N = trainer_N.exp(), sampler_N.exp()
    gap_N = (p_N - q_N).abs()
    return {
        "mismatch/is_mean": Mean.of(r_N),
        "mismatch/is_max": Largest.of(r_N),
        "mismatch/is_min": Smallest.of(r_N),
        "mismatch/is_std": Spread.of(r_N),
        "mismatch/ess": EffectiveSize.of(log_r_N),
        "mismatch/k1_kl": Mean.of(-log_r_N),
        "mismatch/k3_kl": Mean.of(log_r_N.expm1() - log_r_N),
        "mismatch/chi2": Mean.of(r_N.square() - 1),
        "mismatch/absdiff_mean": Mean.of(gap_N),
        "mismatch/absdiff_max": Largest.of(gap_N),
        "mismatch/absdiff_std": Spread.of(gap_N),
        "mismatch/pearson": Correlation.of(p_N, q_N),
        "mismatch/extreme_frac": Mean.of(log_r_N.abs() > math.log(2)),
    }
