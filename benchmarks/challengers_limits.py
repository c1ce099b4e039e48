"""Rules on the signals that only an instrumented trainer logs, as scores that alarm above 1.

Sources: k-hat, Vehtari et al., JMLR 25(72), 2024; the health bands, verl's documentation of
rollout correction; ZClip, Kumar et al., arXiv:2504.02507, where a gradient norm is a spike when it
is 2.5 standard deviations above its moving average.
"""

from __future__ import annotations

import math

import numpy as np

from benchmarks.simple_rules import Array, Score, Series

KHAT, ESS = 0.7, 0.1
ZCLIP_KEPT, ZCLIP_SIGMAS, ZCLIP_WARMUP = 0.97, 2.5, 25
"""Weight of the past in its averages, standard deviations that are a spike, records before it."""
MISMATCH = {
    "mean": "mismatch/is_mean",
    "ess": "mismatch/ess",
    "std": "mismatch/is_std",
    "kl": "mismatch/k1_kl",
    "chi2": "mismatch/chi2",
}
RATIO = {
    "mean": "ratio/mean",
    "ess": "ratio/ess_frac",
    "kl": "kl/old",
    "chi2": "ratio/chi2",
}


def zclip(series: Series) -> Array:
    """Gradient norm above its moving average, in spikes. What ZClip would have clipped enters the
    averages as clipped: to mean + threshold^2 / z standard deviations."""
    norms = series.get("optim/grad_norm", np.empty(0))
    score = _zero(series)
    seen: list[float] = []
    mean = variance = math.nan
    for point in np.flatnonzero(np.isfinite(norms)):
        norm = float(norms[point])
        if len(seen) < ZCLIP_WARMUP:
            seen.append(norm)
            mean, variance = float(np.mean(seen)), float(np.var(seen))
            continue
        spread = math.sqrt(variance)
        z = (norm - mean) / (spread + 1e-6)
        score[point] = z / ZCLIP_SIGMAS
        if z > ZCLIP_SIGMAS:
            norm = mean + ZCLIP_SIGMAS**2 / z * spread
        mean = ZCLIP_KEPT * mean + (1 - ZCLIP_KEPT) * norm
        variance = ZCLIP_KEPT * variance + (1 - ZCLIP_KEPT) * (norm - mean) ** 2
    return score


def token_khat(series: Series) -> Array:
    """k-hat of the tokens' ratios over its limit."""
    return _worst(series, series.get("ratio/khat", np.empty(0)) / KHAT)


def sequence_khat(series: Series) -> Array:
    """k-hat of whole responses' ratios over its limit."""
    return _worst(series, series.get("ratio/sequence_khat", np.empty(0)) / KHAT)


def lost_samples(series: Series) -> Array:
    """Share of the batch that importance weights waste, of tokens, responses or the sampler's."""
    names = ("ratio/ess_frac", "ratio/sequence_ess_frac", "mismatch/ess")
    return _worst(series, *((1 - series[name]) / (1 - ESS) for name in names if name in series))


def health_bands(series: Series, names: dict[str, str]) -> Array:
    """How much of verl's bands is used up: mean weight in [.5, 2], effective samples from .3,
    spread up to 1, |KL| up to .1, chi-square up to 1."""
    known = {part: series[name] for part, name in names.items() if name in series}
    used = {
        "mean": lambda x: np.abs(np.log2(np.maximum(x, 1e-300))),
        "ess": lambda x: (1 - x) / 0.7,
        "std": lambda x: x,
        "kl": lambda x: np.abs(x) / 0.1,
        "chi2": lambda x: x,
    }
    return _worst(series, *(used[part](values) for part, values in known.items()))


def _zero(series: Series) -> Array:
    return np.zeros(len(next(iter(series.values()), ())))


def _worst(series: Series, *scores: Array) -> Array:
    """The largest score of each record, 0 where there is none."""
    worst = _zero(series)
    for score in scores:
        if len(score):
            worst = np.fmax(worst, score)
    return worst


LIMITS: dict[str, Score] = {
    "ZClip's rule on the gradient norm": zclip,
    "k-hat > 0.7, tokens": token_khat,
    "k-hat > 0.7, responses": sequence_khat,
    "ESS < 0.1": lost_samples,
    "verl's health bands, sampler": lambda series: health_bands(series, MISMATCH),
    "verl's health bands, old policy": lambda series: health_bands(series, RATIO),
}
