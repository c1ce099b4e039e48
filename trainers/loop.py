"""The training loop, top to bottom: one step is one record.

    rollouts -> filter -> old and reference log-probs -> advantages -> updates -> record

The record of step t describes rollouts made by the policy before that step's updates, and the
updates themselves; so does the held-out evaluation of step t.
"""

# torch leaves some of its own methods (tolist, backward, step) without types
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Generator, Tensor
from torch.nn.utils import clip_grad_norm_

from collapse_lab.records import CHECKPOINT, Record
from collapse_lab.trainers.algorithms import Algorithm, policy_loss
from collapse_lab.trainers.checkpoints import State
from collapse_lab.trainers.filters import collect, every_group
from collapse_lab.trainers.language_model import LanguageModel, Scorer
from collapse_lab.trainers.recipes import Recipe
from collapse_lab.trainers.rollouts import Rollouts
from collapse_lab.trainers.samplers import BehindEngine, CachedEngine, Engine, play, success_rate
from collapse_lab.trainers.showing import (
    Clock,
    Texts,
    cost_of,
    sampled_tensors,
    success_by_kind,
    trained_tensors,
    transcripts,
)
from collapse_lab.trainers.tasks import TASKS
from collapse_lab.trainers.tasks.base import Task, task_seed
from collapse_lab.trainers.terms import EntropyBonus, FormatPenalty, ProxyReward, ReferenceKL
from collapse_lab.trainers.weighting import PerBudget

SAMPLED_EPISODES = 2


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
    codec = state.policy.codec(task)
    if isinstance(algorithm.weigh, PerBudget):
        algorithm = replace(algorithm, weigh=algorithm.weigh.within(codec.response_limit(task)))
    engine = engine_of(recipe, state)
    penalty = FormatPenalty(recipe.penalty, recipe.penalised)
    proxy = ProxyReward(recipe.proxy, recipe.proxied, codec.response_limit(task), task.turn_limit)
    observer = state.observer

    def fresh() -> Rollouts:
        rollouts = play(task, state.next_tasks(recipe), recipe.group_size, engine, codec)
        state.turns += len(rollouts)
        if recipe.proxy:
            rollouts = proxy(rollouts)
        observer.show(sampled_tensors(rollouts, codec.response_limit(task)))
        observer.add(success_by_kind(rollouts, task))
        return rollouts

    while state.step < recipe.steps and not should_stop():
        clock = Clock()
        values: dict[str, float] = {}
        if state.step % recipe.eval_every == 0 or state.step == recipe.steps - 1:
            values |= evaluate(state.policy, task, recipe)
        clock.lap("eval")

        engine.synchronise()
        keep = algorithm.filter if state.step >= recipe.cold_start else every_group
        collected = collect(fresh, keep, groups=recipe.groups, tries=recipe.tries)
        observer.add(cost_of(collected))
        clock.lap("rollouts")

        rollouts = penalty(with_log_probs(collected.rollouts, state.policy, state.reference))
        if recipe.old_log_probs == "sampler":
            rollouts = replace(rollouts, old_logp_BT=rollouts.sampler_logp_BT)
        rollouts = rollouts.checked()
        adv_B = algorithm.advantage(rollouts)
        observer.show(trained_tensors(rollouts))
        clock.lap("log_probs")

        lr = recipe.rate(state.step)
        losses = update_policy(recipe, algorithm, state, rollouts, adv_B, lr)
        clock.lap("updates")

        values |= {"optim/lr": lr, "loss/pg": math.fsum(losses) / len(losses)}
        values |= {"arena/turns_played": float(state.turns), "time/step": clock.total()}
        if state.step % recipe.sample_every == 0:
            sample(state.step, transcripts(rollouts, task, codec, SAMPLED_EPISODES))
        record = observer.step(state.step, values | clock.laps)
        state.step += 1
        if checkpoint is None or state.step % recipe.checkpoint_every:
            emit(record)
        else:
            emit(replace(record, notes={**record.notes, CHECKPOINT: checkpoint.name}))
            state.save(checkpoint, recipe)


def engine_of(recipe: Recipe, state: State) -> Engine:
    """The engine that draws the rollouts, with weights that are late or rounded where the recipe
    says so."""

    def start(policy: LanguageModel) -> Engine:
        if recipe.sampler == "vllm":
            from collapse_lab.trainers.vllm_engine import VLLMEngine

            return VLLMEngine(policy, state.sampling, recipe.temperature)
        return CachedEngine(policy, state.sampling, recipe.temperature)

    if recipe.sampler_lag or recipe.sampler_bits:
        return BehindEngine(state.policy, start, state.past, recipe.sampler_bits)
    return start(state.policy)


@torch.no_grad()
def with_log_probs(rollouts: Rollouts, policy: LanguageModel, reference: Scorer) -> Rollouts:
    """With the trainer's own log-probs of the policy as it stands, its entropy, and the
    reference's log-probs."""
    columns: list[tuple[Tensor, Tensor, Tensor]] = []
    for rows in rollouts.batches(policy.rows_a_pass):
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
) -> list[float]:
    """All mini-batch updates of one step, changing the policy in place; their losses."""
    reference_kl, bonus = ReferenceKL(recipe.kl), EntropyBonus(recipe.entropy)
    for group in state.optimiser.param_groups:
        group["lr"] = lr
    size = math.ceil(len(rollouts) / recipe.mini_batches)
    losses: list[float] = []
    for _ in range(recipe.epochs):
        for rows in rollouts.batches(size, state.shuffling):
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
            state.observer.batch(
                logp=logp_BT,
                old_logp=batch.old_logp_BT,
                advantage=adv_B[rows],
                mask=batch.mask_BT,
                ref_logp=batch.ref_logp_BT,
            )
            trained = state.policy.trained()
            with state.observer.update(trained.items()):
                clip_grad_norm_(trained.values(), recipe.max_grad_norm)
                state.optimiser.step()
            losses.append(loss.item())
    return losses


def evaluate(policy: LanguageModel, task: type[Task], recipe: Recipe) -> dict[str, float]:
    """Success on the first held-out tasks, one episode each, with chance of its own: always the
    same tasks and the same draws."""
    generator = Generator()
    generator.manual_seed(0)
    engine = CachedEngine(policy, generator, recipe.eval_temperature)
    seeds = [task_seed("held_out", index) for index in range(recipe.eval_episodes)]
    return {"eval/success_rate": success_rate(play(task, seeds, 1, engine, policy.codec(task)))}
