from __future__ import annotations

import pytest
import torch

from collapse_lab.trainers.weighting import PerBudget, per_sequence, per_token

MASK = torch.tensor([[True, True, True, False], [True, False, False, False]])


def test_per_token_gives_every_token_the_same():
    assert per_token(MASK).tolist() == [[0.25, 0.25, 0.25, 0], [0.25, 0, 0, 0]]


def test_per_sequence_gives_every_response_the_same():
    weight = per_sequence(MASK)
    assert weight.sum(1).tolist() == pytest.approx([0.5, 0.5])
    assert weight[0].tolist() == pytest.approx([1 / 6, 1 / 6, 1 / 6, 0])


def test_per_budget_divides_by_the_longest_response_allowed():
    assert PerBudget(8)(MASK).tolist() == [[1 / 16, 1 / 16, 1 / 16, 0], [1 / 16, 0, 0, 0]]
    assert PerBudget()(MASK)[1, 0] == 1 / 8


@pytest.mark.parametrize("weigh", [per_token, per_sequence])
def test_weights_sum_to_one_and_padding_has_none(weigh):
    mask = torch.arange(9) < torch.randint(1, 10, (50, 1))
    assert weigh(mask).sum().item() == pytest.approx(1, abs=1e-5)
    assert (weigh(mask)[~mask] == 0).all()


def test_a_row_without_tokens_does_not_count_as_a_response():
    mask = torch.cat([MASK, torch.zeros(1, 4, dtype=torch.bool)])
    assert torch.equal(per_sequence(mask)[:2], per_sequence(MASK))
    assert torch.equal(PerBudget(8)(mask)[:2], PerBudget(8)(MASK))
