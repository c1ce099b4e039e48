"""Sums and spreads over rows that share an id, without a loop over the ids.

Ids may be any integers, negative or far apart (hashes), in any order.
"""

from __future__ import annotations

import torch
from torch import Tensor


def compact(*ids_B: Tensor) -> tuple[Tensor, int]:
    """Number the distinct ids, or tuples of ids, from 0: the numbers per row and how many."""
    first_B, *others_B = ids_B
    index_B, count = _numbered(first_B)
    for other_B in others_B:
        number_B, size = _numbered(other_B)
        index_B, count = _numbered(index_B * size + number_B)
    return index_B, count


def _numbered(id_B: Tensor) -> tuple[Tensor, int]:
    unique, inverse_B = torch.unique(id_B, return_inverse=True)  # pyright: ignore
    return inverse_B, unique.numel()


def sums(value_B: Tensor, index_B: Tensor, count: int) -> Tensor:
    """Sum of the values at each index; `count` long."""
    return value_B.new_zeros(count).index_add(0, index_B, value_B)


def sizes(index_B: Tensor, count: int) -> Tensor:
    """Rows at each index, as integers."""
    return torch.bincount(index_B, minlength=count)


def means(value_B: Tensor, index_B: Tensor, count: int) -> Tensor:
    return sums(value_B, index_B, count) / sizes(index_B, count)


def stds(value_B: Tensor, index_B: Tensor, count: int) -> Tensor:
    """Unbiased standard deviation at each index; NaN where there is one row."""
    size = sizes(index_B, count)
    centred_B = value_B - means(value_B, index_B, count)[index_B]
    return (sums(centred_B.square(), index_B, count) / (size - 1)).sqrt()


def ranges(value_B: Tensor, index_B: Tensor, count: int) -> Tensor:
    """Largest minus smallest value at each index: exactly 0 where all are equal."""
    high = value_B.new_full((count,), -torch.inf).scatter_reduce(0, index_B, value_B, "amax")
    low = value_B.new_full((count,), torch.inf).scatter_reduce(0, index_B, value_B, "amin")
    return high - low
