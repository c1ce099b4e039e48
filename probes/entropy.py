"""How undecided the policy is: on average, at its surest, and from turn to turn."""

from __future__ import annotations

import torch

from collapse_lab.probes.parts import Histogram, Mean, Parts
from collapse_lab.probes.tensors import StepTensors

SURE = 0.05
"""Entropy in nats below which a token is near-deterministic: a top probability of about 0.99."""
TURNS = (0, 1, 2, 4, 8)
"""First turns of the ranges of turns that are told apart; they name them."""


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
        firsts = torch.tensor(TURNS, device=tensors.turn.device)
        range_N = torch.bucketize(tensors.turn, firsts, right=True)[tensors.row_N]
        for number, first in enumerate(TURNS, start=1):
            here_N = range_N == number
            total = entropy_N.where(here_N, 0.0).sum()
            parts[f"policy/entropy_turn_{first}"] = Mean(total, here_N.count_nonzero().double())
    return parts
