"""vLLM draws what the policy would, with its weights as they are. Run by `make test-vllm`."""

from __future__ import annotations

import copy
import math
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import Generator, Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from collapse_lab.records import Record
from collapse_lab.trainers.cloning import Cloning, clone
from collapse_lab.trainers.language_model import LanguageModel
from collapse_lab.trainers.loop import train
from collapse_lab.trainers.policy import END_ID, Policy, Size, left_padded, new_policy
from collapse_lab.trainers.pretrained import Pretrained
from collapse_lab.trainers.recipes import Recipe
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
def prompts(policy: Policy) -> list[list[int]]:
    """Of episodes that the policy plays."""
    rollouts = play(Household, range(40), 4, CachedEngine(policy, Generator().manual_seed(0)))
    rows = zip(rollouts.prompt_ids_BP, rollouts.prompt_mask_BP, strict=True)
    return [ids[mask].tolist() for ids, mask in rows]


@torch.no_grad()
def changed(policy: LanguageModel) -> None:
    """By a tenth, all weights: far more than a step of training does."""
    noise = Generator().manual_seed(1)
    for parameter in policy.parameters():
        parameter.mul_(1 + 0.1 * torch.randn(parameter.shape, generator=noise))


@torch.no_grad()
def gaps(policy: LanguageModel, prompts: list[list[int]], drawn: Responses) -> Tensor:
    """Between the policy's log-probs and the sampler's, of every token."""
    logp, _ = policy.token_statistics(*left_padded(prompts), drawn.ids_BT)
    return (logp - drawn.logp_BT)[drawn.mask_BT].abs()


def greedy_rows_equal(engine: VLLMEngine, prompts: list[list[int]]) -> float:
    """Share of rows; at this temperature our own engine takes the likeliest too."""
    engine.temperature = 0.0
    ours = CachedEngine(engine.policy, Generator(), 1e-6).respond(prompts, Household.response_limit)
    theirs = engine.respond(prompts, Household.response_limit)
    pairs = zip(ours.ids_BT, ours.mask_BT, theirs.ids_BT, theirs.mask_BT, strict=True)
    same = [torch.equal(a[a_mask], b[b_mask]) for a, a_mask, b, b_mask in pairs]
    return sum(same) / len(same)


def test_greedy_tokens_are_the_policys_after_a_push_and_not_before(
    engine: VLLMEngine, prompts: list[list[int]]
):
    assert len(prompts) > 1000
    assert greedy_rows_equal(engine, prompts) >= 0.99
    changed(engine.policy)
    assert greedy_rows_equal(engine, prompts) < 0.9
    engine.synchronise()
    assert greedy_rows_equal(engine, prompts) >= 0.99


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_log_probs_are_the_trainers_at_temperature_1_after_a_push_and_not_before(
    engine: VLLMEngine, prompts: list[list[int]], temperature: float
):
    engine.temperature = temperature
    changed(engine.policy)
    before = engine.respond(prompts, Household.response_limit)
    assert gaps(engine.policy, prompts, before).max() > 0.1
    engine.synchronise()
    after = engine.respond(prompts, Household.response_limit)
    assert gaps(engine.policy, prompts, after).max() < 1e-4


LONG = [[4 + (row + 7 * i) % 40 for i in range(40)] for row in range(8)]
"""Prompts, each longer than what the prefix cache keeps together."""


def test_a_push_forgets_the_prefixes_that_older_weights_read(engine: VLLMEngine):
    engine.respond(LONG, limit=8)
    changed(engine.policy)
    engine.synchronise()
    drawn = engine.respond(LONG, limit=8)
    assert gaps(engine.policy, LONG, drawn).max() < 1e-4


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


def test_heads_too_narrow_for_its_kernel_are_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"at least 32 wide: set size\.heads=2"):
        VLLMEngine(new_policy(Household, Size(), 0), Generator())


# There is one engine a process: those that start one more come last.


def test_a_pretrained_policy_whose_head_is_its_embedding_is_pushed_whole():
    config = LlamaConfig(
        vocab_size=640,
        hidden_size=128,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        eos_token_id=1,
    )
    words = Tokenizer(WordLevel({f"<{i}>": i for i in range(640)}, unk_token="<0>"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<1>")
    policy = Pretrained(LlamaForCausalLM(config), tokenizer)
    engine = VLLMEngine(policy, Generator())
    for parameter in policy.parameters():
        torch.nn.init.normal_(parameter, std=0.2, generator=Generator().manual_seed(1))
    engine.synchronise()
    drawn = engine.respond(LONG, limit=8)
    assert gaps(policy, LONG, drawn).max() < 1e-4


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
