"""vLLM draws what the policy would, with its weights as they are. Run by `make test-vllm`."""

from __future__ import annotations

import copy
import math
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor

from collapse_lab.records import Record
from collapse_lab.trainers.cloning import Cloning, clone
from collapse_lab.trainers.loop import train
from collapse_lab.trainers.policy import END_ID, Policy, Size, new_policy
from collapse_lab.trainers.recipes import Recipe
from collapse_lab.trainers.rollouts import Rollouts
from collapse_lab.trainers.samplers import CachedEngine, Responses, play
from collapse_lab.trainers.tasks.household import Household
from collapse_lab.trainers.vllm_engine import VLLMEngine

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(
        find_spec("vllm") is None, reason="vLLM is not installed here: make test-vllm"
    ),
]

WIDE_HEADS = Size(heads=2)
QUICK = Cloning(episodes=60, success=0.0, check_every=60, checked=4, batch=64)


@pytest.fixture(scope="module")
def policy() -> Policy:
    """Knows the format and little else."""
    policy = new_policy(Household, WIDE_HEADS, 0)
    clone(policy, Household, QUICK)
    return policy


@pytest.fixture(scope="module")
def started(policy: Policy) -> VLLMEngine:
    return VLLMEngine(policy, Generator())


@pytest.fixture
def engine(started: VLLMEngine, policy: Policy) -> VLLMEngine:
    """In sync with a policy that is the test's own."""
    started.policy = copy.deepcopy(policy)
    started.generator = Generator().manual_seed(0)
    started.temperature = 1.0
    started.synchronise()
    return started


@pytest.fixture(scope="module")
def rollouts(policy: Policy) -> Rollouts:
    return play(Household, range(40), 4, CachedEngine(policy, Generator().manual_seed(0)))


@pytest.fixture
def prompts(rollouts: Rollouts) -> list[list[int]]:
    rows = zip(rollouts.prompt_ids_BP, rollouts.prompt_mask_BP, strict=True)
    return [ids[mask].tolist() for ids, mask in rows]


@torch.no_grad()
def changed(policy: Policy) -> None:
    """By a tenth, all weights: far more than a step of training does."""
    noise = Generator().manual_seed(1)
    for parameter in policy.parameters():
        parameter.mul_(1 + 0.1 * torch.randn(parameter.shape, generator=noise))


@torch.no_grad()
def gaps(policy: Policy, rollouts: Rollouts, drawn: Responses) -> Tensor:
    """Between the policy's log-probs and the sampler's, of every token."""
    logp, _ = policy.token_statistics(rollouts.prompt_ids_BP, rollouts.prompt_mask_BP, drawn.ids_BT)
    return (logp - drawn.logp_BT)[drawn.mask_BT].abs()


def greedy_rows_equal(policy: Policy, engine: VLLMEngine, prompts: list[list[int]]) -> float:
    """Share of rows; at this temperature our own engine takes the likeliest too."""
    engine.temperature = 0.0
    ours = CachedEngine(policy, Generator(), 1e-6).respond(prompts, Household.response_limit)
    theirs = engine.respond(prompts, Household.response_limit)
    pairs = zip(ours.ids_BT, ours.mask_BT, theirs.ids_BT, theirs.mask_BT, strict=True)
    same = [torch.equal(a[a_mask], b[b_mask]) for a, a_mask, b, b_mask in pairs]
    return sum(same) / len(same)


def test_greedy_tokens_are_the_policys_after_a_push_and_not_before(
    engine: VLLMEngine, prompts: list[list[int]]
):
    assert len(prompts) > 1000
    assert isinstance(engine.policy, Policy)
    assert greedy_rows_equal(engine.policy, engine, prompts) >= 0.99
    changed(engine.policy)
    assert greedy_rows_equal(engine.policy, engine, prompts) < 0.9
    engine.synchronise()
    assert greedy_rows_equal(engine.policy, engine, prompts) >= 0.99


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_log_probs_are_the_trainers_at_temperature_1_after_a_push_and_not_before(
    engine: VLLMEngine, rollouts: Rollouts, prompts: list[list[int]], temperature: float
):
    assert isinstance(engine.policy, Policy)
    engine.temperature = temperature
    changed(engine.policy)
    before = engine.respond(prompts, Household.response_limit)
    assert gaps(engine.policy, rollouts, before).max() > 0.1
    engine.synchronise()
    after = engine.respond(prompts, Household.response_limit)
    assert gaps(engine.policy, rollouts, after).max() < 1e-4


@pytest.mark.parametrize("temperature", [1.0, 0.5])
@torch.no_grad()
def test_tokens_are_drawn_as_often_as_the_policy_says(engine: VLLMEngine, temperature: float):
    assert isinstance(engine.policy, Policy)
    engine.temperature = temperature
    torch.nn.init.normal_(engine.policy.head.weight, std=0.3, generator=Generator().manual_seed(0))
    engine.synchronise()
    prompt = torch.tensor([[4, 5, 6]])
    logits = engine.policy(prompt, torch.ones_like(prompt, dtype=torch.bool), 1)[0, 0]
    drawn = engine.respond([[4, 5, 6]] * 4000, limit=1).ids_BT[:, 0]
    frequency = torch.bincount(drawn, minlength=len(logits)) / len(drawn)
    expected = (logits / temperature).softmax(-1)
    standard_error = (expected * (1 - expected) / len(drawn)).sqrt()
    assert ((frequency - expected).abs() < 5 * standard_error + 1e-3).all()


def test_a_response_ends_with_its_end_token_or_at_the_limit(
    engine: VLLMEngine, prompts: list[list[int]]
):
    drawn = engine.respond(prompts[:200], limit=8)
    lengths = set()
    for ids, mask in zip(drawn.ids_BT, drawn.mask_BT, strict=True):
        response = ids[mask].tolist()
        assert END_ID not in response[:-1]
        assert response[-1] == END_ID or len(response) == 8
        assert not ids[~mask].any()
        lengths.add(len(response))
    assert len(lengths) > 1


def test_equal_chance_draws_equal_responses(engine: VLLMEngine, prompts: list[list[int]]):
    first = engine.respond(prompts[:50], limit=8).ids_BT.tolist()
    other = engine.respond(prompts[:50], limit=8).ids_BT.tolist()
    engine.generator = Generator().manual_seed(0)
    again = engine.respond(prompts[:50], limit=8).ids_BT.tolist()
    assert first == again
    assert first != other


def trained(cache: Path, lag: int) -> list[Record]:
    recipe = Recipe(
        task="household",
        algorithm="grpo",
        steps=6,
        groups=4,
        group_size=4,
        mini_batches=4,
        warm_up=0,
        eval_episodes=4,
        sampler="vllm",
        sampler_lag=lag,
        size=WIDE_HEADS,
        cloning=QUICK,
    )
    records: list[Record] = []
    train(recipe, records.append, cache=cache)
    return records


def test_training_stays_in_sync_and_a_stale_sampler_shows_at_once(tmp_path: Path):
    fresh, stale = trained(tmp_path, lag=0), trained(tmp_path, lag=1)
    assert [record.step for record in fresh] == list(range(6))
    for record in (*fresh, *stale):
        mismatch = [v for name, v in record.values.items() if name.startswith("mismatch/")]
        assert len(mismatch) >= 10
        assert all(math.isfinite(value) for value in mismatch)
    assert all(record.values["mismatch/absdiff_max"] < 1e-3 for record in fresh)
    assert stale[0].values["mismatch/absdiff_max"] < 1e-3
    for late, true in zip(stale[1:], fresh[1:], strict=True):
        for name in ("mismatch/absdiff_mean", "mismatch/absdiff_max"):
            assert late.values[name] > 100 * true.values[name]


def test_heads_too_narrow_for_its_kernel_are_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"at least 32 wide: set size\.heads=2"):
        VLLMEngine(new_policy(Household, Size(), 0), Generator())
