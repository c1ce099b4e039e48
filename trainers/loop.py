"""The training loop, top to bottom: one step is one record.

    rollouts -> filter -> old and reference log-probs -> advantages -> updates -> record

The record of step t describes rollouts made by the policy before that step's updates, and the
updates themselves; so does the held-out evaluation of step t.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn.utils import clip_grad_norm_

from collapse_lab.records import Record
from collapse_lab.trainers.algorithms import Algorithm, log_ratio, policy_loss
from collapse_lab.trainers.checkpoints import State
from collapse_lab.trainers.filters import collect, every_group
from collapse_lab.trainers.measures import Update, of_credit, of_rollouts, of_updates
from collapse_lab.trainers.policy import Policy, Vocabulary
from collapse_lab.trainers.recipes import Recipe
from collapse_lab.trainers.rollouts import Rollouts
from collapse_lab.trainers.samplers import CachedEngine, play, success_rate
from collapse_lab.trainers.tasks import TASKS
from collapse_lab.trainers.tasks.base import Task, task_seed, vocabulary_words
from collapse_lab.trainers.terms import EntropyBonus, FormatPenalty, ReferenceKL

ROWS_A_PASS = 64
"""Rows of a pass without gradients: small enough for the processor's cache."""
SAMPLED_EPISODES = 2

Texts = list[Mapping[str, Any]]


def train(
    recipe: Recipe,
    emit: Callable[[Record], object],
    *,
    cache: Path,
    checkpoint: Path | None = None,
    sample: Callable[[int, Texts], object] = lambda step, texts: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> None:
    """Runs the recipe, from `checkpoint` on where that file exists.

    `cache` is the folder of cloned policies, `sample` is given a few episodes as text, and
    `should_stop` is asked before each step.
    """
    task, algorithm = TASKS[recipe.task], recipe.choices()
    if checkpoint is not None and checkpoint.exists():
        state = State.load(checkpoint, recipe)
    else:
        state = State.begin(recipe, cache)
    engine = CachedEngine(state.policy, state.sampling, recipe.temperature)
    penalty = FormatPenalty(recipe.penalty, recipe.penalised)

    def fresh() -> Rollouts:
        rollouts = play(task, state.next_tasks(recipe), recipe.group_size, engine)
        state.turns += len(rollouts)
        return rollouts

    while state.step < recipe.steps and not should_stop():
        began = time.perf_counter()
        values: dict[str, float] = {}
        if state.step % recipe.eval_every == 0 or state.step == recipe.steps - 1:
            values |= evaluate(state.policy, task, recipe)

        clock = time.perf_counter()
        keep = algorithm.filter if state.step >= recipe.cold_start else every_group
        collected = collect(fresh, keep, groups=recipe.groups, tries=recipe.tries)
        values["time/rollouts"] = time.perf_counter() - clock

        clock = time.perf_counter()
        rollouts = penalty(with_log_probs(collected.rollouts, state.policy, state.reference))
        rollouts = rollouts.checked()
        adv_B = algorithm.advantage(rollouts)
        values["time/log_probs"] = time.perf_counter() - clock

        clock = time.perf_counter()
        lr = recipe.lr * min(1.0, (state.step + 1) / max(1, recipe.warm_up))
        updates = update_policy(recipe, algorithm, state, rollouts, adv_B, lr)
        values["time/updates"] = time.perf_counter() - clock

        values |= of_rollouts(rollouts, task) | of_credit(rollouts, adv_B, collected)
        values |= of_updates(updates) | {"optim/lr": lr, "arena/turns_played": float(state.turns)}
        values["time/step"] = time.perf_counter() - began
        if state.step % recipe.sample_every == 0:
            sample(state.step, transcripts(rollouts, task, SAMPLED_EPISODES))
        emit(Record(state.step, time.time(), values))
        state.step += 1
        if checkpoint is not None and state.step % recipe.checkpoint_every == 0:
            state.save(checkpoint, recipe)


@torch.no_grad()
def with_log_probs(rollouts: Rollouts, policy: Policy, reference: Policy) -> Rollouts:
    """With the trainer's own log-probs of the policy as it stands, its entropy, and the
    reference's log-probs."""
    columns: list[tuple[Tensor, Tensor, Tensor]] = []
    for rows in rollouts.batches(ROWS_A_PASS):
        part = rollouts.select(rows)
        inputs = part.prompt_ids_BP, part.prompt_mask_BP, part.response_ids_BT
        logp_BT, entropy_BT = policy.token_statistics(*inputs)
        columns.append((logp_BT, entropy_BT, reference.token_statistics(*inputs)[0]))
    old, entropy, ref = (
        torch.cat(column) * rollouts.mask_BT for column in zip(*columns, strict=True)
    )
    return replace(rollouts, old_logp_BT=old, entropy_BT=entropy, ref_logp_BT=ref)


def update_policy(
    recipe: Recipe,
    algorithm: Algorithm,
    state: State,
    rollouts: Rollouts,
    adv_B: Tensor,
    lr: float,
) -> list[Update]:
    """All mini-batch updates of one step, changing the policy in place."""
    reference_kl, bonus = ReferenceKL(recipe.kl), EntropyBonus(recipe.entropy)
    parameters = list(state.policy.parameters())
    for group in state.optimiser.param_groups:
        group["lr"] = lr
    updates: list[Update] = []
    for _ in range(recipe.epochs):
        for rows in rollouts.batches(
            math.ceil(len(rollouts) / recipe.mini_batches), state.shuffling
        ):
            batch = rollouts.select(rows).trimmed()
            weight_BT = algorithm.weigh(batch.mask_BT)
            logp_BT, entropy_BT = state.policy.token_statistics(
                batch.prompt_ids_BP, batch.prompt_mask_BP, batch.response_ids_BT
            )
            loss = policy_loss(algorithm, logp_BT, batch, adv_B[rows], weight_BT)
            total = loss + reference_kl(logp_BT, batch, weight_BT)
            if recipe.entropy:
                total = total + bonus(entropy_BT, batch.mask_BT, weight_BT)
            state.optimiser.zero_grad()
            total.backward()
            norm = clip_grad_norm_(parameters, recipe.max_grad_norm)
            state.optimiser.step()
            ratio_BT = log_ratio(logp_BT.detach(), batch)
            updates.append(Update(batch, adv_B[rows], ratio_BT, float(norm), loss.item()))
    return updates


def evaluate(policy: Policy, task: type[Task], recipe: Recipe) -> dict[str, float]:
    """Success on the first held-out tasks, one episode each, with chance of its own: always the
    same tasks and the same draws."""
    generator = Generator()
    generator.manual_seed(0)
    engine = CachedEngine(policy, generator, recipe.eval_temperature)
    seeds = [task_seed("held_out", index) for index in range(recipe.eval_episodes)]
    return {"eval/success_rate": success_rate(play(task, seeds, 1, engine))}


def transcripts(rollouts: Rollouts, task: type[Task], episodes: int) -> Texts:
    """The first episodes of different groups as text, turn by turn."""
    vocabulary = Vocabulary(vocabulary_words(task))
    texts: Texts = []
    for group in rollouts.group_B.unique().tolist()[:episodes]:
        first = int(rollouts.trajectory_B[rollouts.group_B == group].min())
        episode = rollouts.select(rollouts.trajectory_B == first)
        texts.append(
            {
                "task": f"{task.name}/{task.kinds[int(episode.task_type_B[0])]}",
                "reward": float(episode.reward_B[0]),
                "turns": [
                    {"prompt": prompt, "response": response}
                    for prompt, response in zip(
                        _texts(vocabulary, episode.prompt_ids_BP, episode.prompt_mask_BP),
                        _texts(vocabulary, episode.response_ids_BT, episode.mask_BT),
                        strict=True,
                    )
                ],
            }
        )
    return texts


def _texts(vocabulary: Vocabulary, ids: Tensor, mask: Tensor) -> Sequence[str]:
    return [vocabulary.decode(row[kept].tolist()) for row, kept in zip(ids, mask, strict=True)]
