"""How undecided the policy is: on average, at its surest, and from turn to turn."""

from __future__ import annotations

from collapse_lab.probes.parts import Histogram, Mean, Parts
from collapse_lab.probes.tensors import StepTensors

SURE = 0.05
"""Entropy in nats below which a token is near-deterministic: a top probability of about 0.99."""
TURNS = {"0": (0, 1), "1": (1, 2), "2": (2, 4), "4": (4, 8), "8": (8, 1 << 62)}
"""Name of a range of turns, by its first, and the range."""


def entropy(tensors: StepTensors) -> Parts:
    """Token-mean entropy with its histogram, the share of sure tokens, and the mean by turn."""
    if tensors.entropy is None:
        return {}
    entropy_N = tensors.tokens(tensors.entropy)
    parts: Parts = {
        "policy/entropy": Mean.of(entropy_N),
        "policy/sure_frac": Mean.of(entropy_N < SURE),
        "policy/token_entropy": Histogram.of("policy/token_entropy", entropy_N),
    }
    if tensors.turn is not None:
        turn_N = tensors.turn[tensors.row_N]
        for name, (first, end) in TURNS.items():
            here_N = (turn_N >= first) & (turn_N < end)
            total = entropy_N.where(here_N, 0.0).sum()
            parts[f"policy/entropy_turn_{name}"] = Mean.ratio(total, here_N.sum())
    return parts
