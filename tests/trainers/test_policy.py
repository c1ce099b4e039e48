"""The decoder against transformers' own, and against itself with and without a cache."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from collapse_lab.trainers.policy import (
    Cache,
    Policy,
    Size,
    Vocabulary,
    left_padded,
    new_policy,
    to_transformers,
)
from collapse_lab.trainers.tasks.household import Household

WORDS = 30


@pytest.fixture
def policy() -> Policy:
    torch.manual_seed(0)
    return Policy(WORDS, Size(layers=3, width=32, heads=4, inner=48))


def random_ids(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(2, WORDS, shape, generator=torch.Generator().manual_seed(seed))


def test_it_is_the_network_that_transformers_calls_llama(policy: Policy):
    ids = random_ids(4, 17)
    with torch.no_grad():
        ours = policy(ids, torch.ones_like(ids, dtype=torch.bool), keep=17)
        theirs = to_transformers(policy)(ids).logits
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_its_gradients_are_those_of_transformers(policy: Policy):
    ids = random_ids(2, 9)
    llama = to_transformers(policy)
    policy(ids, torch.ones_like(ids, dtype=torch.bool), keep=9).square().mean().backward()
    llama(ids).logits.square().mean().backward()
    ours, theirs = policy.embed.weight.grad, llama.model.embed_tokens.weight.grad
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)


def test_padding_changes_nothing(policy: Policy):
    prompts = [random_ids(n, seed=n).tolist() for n in (3, 11, 7)]
    response = random_ids(3, 5)
    together, entropy = policy.token_statistics(*left_padded(prompts), response)
    for row, prompt in enumerate(prompts):
        alone, own = policy.token_statistics(*left_padded([prompt]), response[[row]])
        torch.testing.assert_close(together[row], alone[0], atol=1e-5, rtol=0)
        torch.testing.assert_close(entropy[row], own[0], atol=1e-5, rtol=0)


def test_what_follows_a_token_does_not_reach_it(policy: Policy):
    prompt, response = left_padded([[2, 3, 4]]), random_ids(1, 6)
    changed = response.clone()
    changed[0, 4:] = 0
    before, _ = policy.token_statistics(*prompt, response)
    after, _ = policy.token_statistics(*prompt, changed)
    assert torch.equal(before[:, :4], after[:, :4])


@torch.no_grad()
def test_reading_with_a_cache_is_reading_at_once(policy: Policy):
    prompt, mask = left_padded([[5, 6, 7, 8], [9, 10]])
    new = random_ids(2, 3)
    whole_mask = torch.cat((mask, torch.ones(2, 3, dtype=torch.bool)), 1)
    whole = policy(torch.cat((prompt, new), 1), whole_mask, keep=4)
    cache = Cache(policy.size, 2, 7)
    parts = [policy(prompt, mask, 1, cache)]
    for t in range(3):
        parts.append(policy(new[:, t : t + 1], whole_mask[:, : 5 + t], 1, cache))
    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-5, rtol=0)


def test_an_indifferent_policy_has_the_entropy_of_a_fair_draw(policy: Policy):
    torch.nn.init.zeros_(policy.head.weight)
    logp, entropy = policy.token_statistics(*left_padded([[2, 3]]), random_ids(1, 4))
    torch.testing.assert_close(logp, torch.full((1, 4), -math.log(WORDS)))
    torch.testing.assert_close(entropy, torch.full((1, 4), math.log(WORDS)))


def test_initial_weights_depend_on_the_seed_alone():
    torch.manual_seed(5)
    first = new_policy(Household, Size(), seed=1)
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(1))  # the caller's own chance is left alone
    again, other = new_policy(Household, Size(), seed=1), new_policy(Household, Size(), seed=2)
    assert torch.equal(first.head.weight, again.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)


def test_words_become_ids_and_come_back():
    vocabulary = Vocabulary(["go", "desk"])
    assert vocabulary.encode("go desk go") == [2, 3, 2]
    assert vocabulary.decode([2, 3, 1, 2]) == "go desk"
    assert vocabulary.decode([2, 0, 3]) == "go <pad> desk"
    with pytest.raises(KeyError):
        vocabulary.encode("fly")
