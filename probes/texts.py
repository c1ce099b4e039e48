"""What the responses look like, without reading them: length, loops, validity."""

from __future__ import annotations

import torch
from torch import Tensor

from collapse_lab.probes.parts import Largest, Mean, Parts, Smallest
from collapse_lab.probes.segments import compact
from collapse_lab.probes.tensors import StepTensors

GRAM = 4
"""Tokens of the n-grams whose return counts as repetition."""
LOOPING = 0.5
"""Share of returning n-grams from which on a response repeats itself."""


def lengths(tensors: StepTensors) -> Parts:
    """Response lengths in tokens, prompt lengths, truncation, turns of an episode.

    Of rollouts (token_ids) or else of mini-batches (logp), so that a loop that shows rows again
    for another purpose does not count them twice.
    """
    if tensors.token_ids is None and tensors.logp is None:
        return {}
    length_B = tensors.length_B.double()
    parts: Parts = {
        "length/mean": Mean.of(length_B),
        "length/max": Largest.of(length_B),
        "length/min": Smallest.of(length_B),
    }
    if tensors.truncated is not None:
        parts["length/trunc_frac"] = Mean.of(tensors.truncated)
    if tensors.prompt_length is not None:
        parts["length/prompt_mean"] = Mean.of(tensors.prompt_length)
    if tensors.group is not None and tensors.episodes is not None:
        parts["policy/turns_mean"] = Mean.ratio(len(length_B), tensors.episodes[1])
    return parts


def repetition(tensors: StepTensors) -> Parts:
    """N-grams that were there before in their response, and responses made mostly of them.

    `distinct_action_frac` is the share of an episode's turns that do something it has not done
    yet, over all turns: 1 when no action repeats, low for an agent that walks in circles.
    """
    parts: Parts = {}
    if tensors.token_ids is not None and tensors.token_ids.shape[1] >= GRAM:
        again_B, grams_B = _returning(_packed(tensors, tensors.token_ids), tensors.length_B)
        again_B, grams_B = again_B[grams_B > 0], grams_B[grams_B > 0]
        parts["policy/repeated_gram_frac"] = Mean.ratio(again_B.sum(), grams_B.sum())
        parts["policy/repetition_frac"] = Mean.of(again_B >= LOOPING * grams_B)
    if tensors.action is not None and tensors.episodes is not None:
        distinct = compact(tensors.episodes[0], tensors.action)[1]
        parts["policy/distinct_action_frac"] = Mean.ratio(distinct, len(tensors.action))
    return parts


def validity(tensors: StepTensors) -> Parts:
    """Turns that count, and why the others do not: the first failure of format, then action."""
    if tensors.format_valid is None:
        return {}
    format_B = tensors.format_valid.bool()
    parts: Parts = {"policy/format_invalid_frac": Mean.of(~format_B)}
    valid_B = format_B
    if tensors.action_valid is not None:
        valid_B = format_B & tensors.action_valid.bool()
        parts["policy/action_invalid_frac"] = Mean.of(format_B & ~valid_B)
    parts["policy/valid_frac"] = Mean.of(valid_B)
    return parts


def _packed(tensors: StepTensors, ids_BT: Tensor) -> Tensor:
    """The tokens that count, from the first column on: prompts and what tools said may lie
    before and between them."""
    place_BT = tensors.mask.cumsum(1) - 1
    packed_BT = torch.zeros_like(ids_BT)
    packed_BT[tensors.row_N, place_BT[tensors.mask]] = ids_BT[tensors.mask]
    return packed_BT


def _returning(token_ids_BT: Tensor, length_B: Tensor) -> tuple[Tensor, Tensor]:
    """For each row, n-grams that occurred earlier in it, and n-grams in all."""
    grams = token_ids_BT.shape[1] - GRAM + 1
    hash_BG = torch.zeros_like(token_ids_BT[:, :grams])
    for offset in range(GRAM):
        hash_BG = hash_BG * 1_000_003 + token_ids_BT[:, offset : offset + grams] + 1
    place_G = torch.arange(grams, device=token_ids_BT.device)
    grams_B = (length_B - GRAM + 1).clamp(min=0)
    alone_G = -1 - place_G
    hash_BG = torch.where(place_G < grams_B[:, None], hash_BG & (2**62 - 1), alone_G)
    again_B = (hash_BG.sort(dim=1).values.diff(dim=1) == 0).sum(1)
    return again_B, grams_B
