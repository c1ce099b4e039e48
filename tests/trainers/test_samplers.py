"""Rollouts: rows are turns, ids and flags are right, log-probs are the trainer's."""

from __future__ import annotations

import copy
from collections import deque

import pytest
import torch
from torch import Generator

from collapse_lab.trainers.cloning import Cloning, DidNotLearn, clone, cloned_policy, demonstrations
from collapse_lab.trainers.policy import END_ID, Policy, Size, Vocabulary, left_padded, new_policy
from collapse_lab.trainers.rollouts import Rollouts
from collapse_lab.trainers.samplers import BehindEngine, CachedEngine, Responses, play, rounded
from collapse_lab.trainers.tasks import GENERATED
from collapse_lab.trainers.tasks.answers import action_in
from collapse_lab.trainers.tasks.base import Task, vocabulary_words
from collapse_lab.trainers.tasks.household import Household

QUICK = Cloning(episodes=60, success=0.0, check_every=60, checked=4, batch=64)


@pytest.fixture(scope="module")
def policy() -> Policy:
    """Knows the format and little else."""
    policy = new_policy(Household, Size(), 0)
    clone(policy, Household, QUICK)
    return policy


def chance(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def rollouts(policy: Policy) -> Rollouts:
    return play(Household, [11, 22, 33], 4, CachedEngine(policy, chance())).checked()


def test_log_probs_are_the_trainers(policy: Policy, rollouts: Rollouts):
    logp, _ = policy.token_statistics(
        rollouts.prompt_ids_BP, rollouts.prompt_mask_BP, rollouts.response_ids_BT
    )
    error = (logp - rollouts.sampler_logp_BT)[rollouts.mask_BT].abs().max()
    assert error < 1e-5


@pytest.mark.parametrize("task", GENERATED.values(), ids=list(GENERATED))
def test_every_task_can_be_played_by_any_policy(task: type[Task]):
    policy = new_policy(task, Size(), 0)
    rollouts = play(task, [1, 2], 2, CachedEngine(policy, chance())).checked()
    assert rollouts.turn_B.max() < task.turn_limit
    assert rollouts.mask_BT.shape[1] <= task.response_limit


def test_a_row_is_a_turn(rollouts: Rollouts):
    for trajectory in range(12):
        turns = rollouts.turn_B[rollouts.trajectory_B == trajectory]
        assert turns.tolist() == list(range(len(turns)))
    assert torch.equal(rollouts.group_B, rollouts.trajectory_B // 4)


def test_playing_the_responses_again_gives_the_same_rewards_flags_and_prompts(rollouts: Rollouts):
    vocabulary = Vocabulary(vocabulary_words(Household))
    for trajectory in range(12):
        episode = rollouts.select(rollouts.trajectory_B == trajectory)
        game = Household()
        observation = game.reset([11, 22, 33][trajectory // 4])
        earned = 0.0
        for row in range(len(episode)):
            prompt = episode.prompt_ids_BP[row][episode.prompt_mask_BP[row]]
            assert vocabulary.decode(prompt.tolist()) == observation.text
            response = episode.response_ids_BT[row][episode.mask_BT[row]]
            step = game.step(vocabulary.decode(response.tolist()))
            assert step.valid_format == episode.format_valid_B[row]
            assert step.valid_action == episode.action_valid_B[row]
            assert step.reward == episode.step_reward_B[row]
            assert step.done == (row == len(episode) - 1)
            earned += step.reward
            observation = step.observation
        assert (episode.reward_B == earned).all()
        assert (episode.task_type_B == Household.kinds.index(game.kind)).all()


def test_a_response_ends_with_its_end_token_or_at_the_limit(rollouts: Rollouts):
    for ids, mask in zip(rollouts.response_ids_BT, rollouts.mask_BT, strict=True):
        response = ids[mask].tolist()
        assert END_ID not in response[:-1]
        assert response[-1] == END_ID or len(response) == Household.response_limit
        assert not ids[~mask].any()


def test_actions_are_told_apart_by_what_was_asked_for_and_not_by_the_thought(rollouts: Rollouts):
    vocabulary = Vocabulary(vocabulary_words(Household))
    asked = [
        action_in(vocabulary.decode(ids[mask].tolist())) or ""
        for ids, mask in zip(rollouts.response_ids_BT, rollouts.mask_BT, strict=True)
    ]
    known: dict[int, str] = {}
    for key, action in zip(rollouts.action_B.tolist(), asked, strict=True):
        assert known.setdefault(key, action) == action
    assert len(known) == len(set(asked)) > 1
    assert "" in asked  # this policy breaks the format now and then: those turns took no action


def test_a_group_begins_at_one_anchor_and_groups_at_different_ones(rollouts: Rollouts):
    first = rollouts.select(rollouts.turn_B == 0)
    anchors = [set(first.anchor_B[first.group_B == group].tolist()) for group in range(3)]
    assert [len(group) for group in anchors] == [1, 1, 1]
    assert len(set.union(*anchors)) == 3


def test_equal_chance_draws_equal_rollouts(policy: Policy, rollouts: Rollouts):
    again = play(Household, [11, 22, 33], 4, CachedEngine(policy, chance()))
    other = play(Household, [11, 22, 33], 4, CachedEngine(policy, chance(1)))
    assert torch.equal(again.sampler_logp_BT, rollouts.sampler_logp_BT)
    assert other.response_ids_BT.tolist() != rollouts.response_ids_BT.tolist()


def draws(policy: Policy, temperature: float, count: int) -> Responses:
    return CachedEngine(policy, chance(), temperature).respond([[4, 5, 6]] * count, limit=1)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
@torch.no_grad()
def test_tokens_are_drawn_as_often_as_the_policy_says(temperature: float):
    policy = new_policy(Household, Size(), 0)
    torch.nn.init.normal_(policy.head.weight, std=0.3, generator=chance())
    ids, mask = left_padded([[4, 5, 6]])
    logits = policy(ids, mask, 1)[0, 0]
    drawn = draws(policy, temperature, 20_000).ids_BT[:, 0]
    frequency = torch.bincount(drawn, minlength=len(logits)) / len(drawn)
    expected = (logits / temperature).softmax(-1)
    standard_error = (expected * (1 - expected) / len(drawn)).sqrt()
    assert ((frequency - expected).abs() < 5 * standard_error + 1e-4).all()


@torch.no_grad()
def test_a_low_temperature_takes_the_likeliest_and_tells_its_plain_log_prob(policy: Policy):
    ids, mask = left_padded([[4, 5, 6]])
    logp = policy(ids, mask, 1)[0, 0].log_softmax(-1)
    drawn = draws(policy, 1e-3, 50)
    assert set(drawn.ids_BT[:, 0].tolist()) == {int(logp.argmax())}
    torch.testing.assert_close(drawn.logp_BT[:, 0], logp.max().expand(50))


@torch.no_grad()
def test_a_stale_engine_draws_with_the_weights_of_some_synchronisations_ago(policy: Policy):
    policy = copy.deepcopy(policy)
    stale = BehindEngine(policy, lambda behind: CachedEngine(behind, chance()), deque(maxlen=3))
    versions: list[Policy] = []
    for step in range(5):
        stale.synchronise()
        versions.append(copy.deepcopy(policy))
        policy.head.weight.mul_(1.1)
        used = versions[max(0, step - 2)]
        drawn = stale.respond([[4, 5, 6]] * 8, limit=4)
        prompt = left_padded([[4, 5, 6]] * 8)
        logp, _ = used.token_statistics(*prompt, drawn.ids_BT)
        torch.testing.assert_close(drawn.logp_BT, logp * drawn.mask_BT)
        later, _ = policy.token_statistics(*prompt, drawn.ids_BT)
        assert ((later - drawn.logp_BT)[drawn.mask_BT].abs() > 1e-3).any()


def test_a_weight_is_rounded_row_by_row_and_a_vector_is_left_alone():
    weight = torch.tensor([[1.0, 0.3, -0.6], [0.02, -0.01, 0.0]])
    # three bits: three steps either way, of a third of the row's largest
    torch.testing.assert_close(
        rounded(weight, 3), torch.tensor([[1.0, 1 / 3, -2 / 3], [0.02, -0.04 / 3, 0.0]])
    )
    assert rounded(weight, 0) is weight
    assert rounded(weight[0], 3).tolist() == weight[0].tolist()


@torch.no_grad()
def test_a_quantised_engine_draws_with_rounded_weights_of_the_moment(policy: Policy):
    policy = copy.deepcopy(policy)
    engine = BehindEngine(policy, lambda b: CachedEngine(b, chance()), deque(maxlen=1), bits=4)
    for _ in range(2):
        policy.head.weight.mul_(1.5)
        engine.synchronise()
        drawn = engine.respond([[4, 5, 6]] * 8, limit=4)
        prompt = left_padded([[4, 5, 6]] * 8)
        coarse = copy.deepcopy(policy)
        for parameter in coarse.parameters():
            parameter.copy_(rounded(parameter, 4))
        logp, _ = coarse.token_statistics(*prompt, drawn.ids_BT)
        torch.testing.assert_close(drawn.logp_BT, logp * drawn.mask_BT)


def test_demonstrations_hold_the_mistakes_that_were_asked_for():
    vocabulary = Vocabulary(vocabulary_words(Household))
    perfect = Cloning(episodes=30, random_actions=0, broken_format=0)
    for prompt, response in demonstrations(Household, perfect):
        assert vocabulary.decode(prompt)
        assert vocabulary.decode(response).endswith("</action>")
    broken = Cloning(episodes=200, random_actions=0.25, broken_format=0.5)
    texts = [vocabulary.decode(response) for _, response in demonstrations(Household, broken)]
    marks = [[word for word in text.split() if word.startswith("<")] for text in texts]
    whole = ["<think>", "</think>", "<action>", "</action>"]
    # of the broken half, one in five draws the mark that stood there
    assert sum(found == whole for found in marks) / len(marks) == pytest.approx(0.6, abs=0.05)


def test_a_clone_is_kept_and_read_back(tmp_path):
    first = cloned_policy(Household, Size(), QUICK, tmp_path)
    (kept,) = tmp_path.iterdir()
    written = kept.stat().st_mtime_ns
    again = cloned_policy(Household, Size(), QUICK, tmp_path)
    assert kept.stat().st_mtime_ns == written
    assert torch.equal(first.head.weight, again.head.weight)


def test_a_clone_that_does_not_learn_says_so():
    hopeless = Cloning(episodes=20, success=1.0, check_every=1, most_updates=2, checked=2)
    with pytest.raises(DidNotLearn, match=r"below 1\.0; allow more updates"):
        clone(new_policy(Household, Size(), 0), Household, hopeless)
