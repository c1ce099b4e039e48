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

from collapse_lab.probes import StepTensors
from collapse_lab.probes.credit import filtering
from collapse_lab.probes.parts import Mean, Parts
from collapse_lab.records import Record
from collapse_lab.trainers.algorithms import Algorithm, policy_loss
from collapse_lab.trainers.checkpoints import State
from collapse_lab.trainers.filters import Collected, collect, every_group
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
    observer = state.observer

    def fresh() -> Rollouts:
        rollouts = play(task, state.next_tasks(recipe), recipe.group_size, engine)
        state.turns += len(rollouts)
        observer.show(sampled_tensors(rollouts, task))
        observer.add(success_by_kind(rollouts, task))
        return rollouts

    while state.step < recipe.steps and not should_stop():
        clock = Clock()
        values: dict[str, float] = {}
        if state.step % recipe.eval_every == 0 or state.step == recipe.steps - 1:
            values |= evaluate(state.policy, task, recipe)
        clock.lap("eval")

        keep = algorithm.filter if state.step >= recipe.cold_start else every_group
        collected = collect(fresh, keep, groups=recipe.groups, tries=recipe.tries)
        observer.add(cost_of(collected))
        clock.lap("rollouts")

        rollouts = penalty(with_log_probs(collected.rollouts, state.policy, state.reference))
        rollouts = rollouts.checked()
        adv_B = algorithm.advantage(rollouts)
        observer.show(trained_tensors(rollouts))
        clock.lap("log_probs")

        lr = recipe.lr * min(1.0, (state.step + 1) / max(1, recipe.warm_up))
        losses = update_policy(recipe, algorithm, state, rollouts, adv_B, lr)
        clock.lap("updates")

        values |= {"optim/lr": lr, "loss/pg": math.fsum(losses) / len(losses)}
        values |= {"arena/turns_played": float(state.turns), "time/step": clock.total()}
        if state.step % recipe.sample_every == 0:
            sample(state.step, transcripts(rollouts, task, SAMPLED_EPISODES))
        emit(observer.step(state.step, values | clock.laps))
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
            with state.observer.update(state.policy.named_parameters()):
                clip_grad_norm_(state.policy.parameters(), recipe.max_grad_norm)
                state.optimiser.step()
            losses.append(loss.item())
    return losses


def sampled_tensors(rollouts: Rollouts, task: type[Task]) -> StepTensors:
    """What can be said of rollouts before any filter, so that success is that of the policy."""
    return StepTensors(
        mask=rollouts.mask_BT,
        token_ids=rollouts.response_ids_BT,
        group=rollouts.group_B,
        trajectory=rollouts.trajectory_B,
        turn=rollouts.turn_B,
        anchor=rollouts.anchor_B,
        reward=rollouts.reward_B,
        success=rollouts.reward_B > 0,
        format_valid=rollouts.format_valid_B,
        action_valid=rollouts.action_valid_B,
        truncated=rollouts.mask_BT.sum(1) == task.response_limit,
        prompt_length=rollouts.prompt_mask_BP.sum(1),
    )


def trained_tensors(rollouts: Rollouts) -> StepTensors:
    """The old policy on the rows that are trained on."""
    return StepTensors(
        mask=rollouts.mask_BT,
        old_logp=rollouts.old_logp_BT,
        sampler_logp=rollouts.sampler_logp_BT,
        entropy=rollouts.entropy_BT,
        turn=rollouts.turn_B,
    )


def success_by_kind(rollouts: Rollouts, task: type[Task]) -> Parts:
    """Success of each of the task's types; the hardest may die first."""
    first_B = rollouts.turn_B == 0
    solved_N, kind_N = rollouts.reward_B[first_B] > 0, rollouts.task_type_B[first_B]
    return {
        f"success/{kind}": Mean.of(solved_N[kind_N == index])
        for index, kind in enumerate(task.kinds)
    }


def cost_of(collected: Collected) -> Parts:
    """What dynamic sampling took."""
    return filtering(
        tries=collected.tries,
        sampled_groups=collected.sampled_groups,
        kept_groups=collected.kept_groups,
        filler_groups=collected.filler_groups,
    )


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


class Clock:
    """Seconds of each stage of a step."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._began = self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[f"time/{stage}"], self._last = now - self._last, now

    def total(self) -> float:
        return time.perf_counter() - self._began
