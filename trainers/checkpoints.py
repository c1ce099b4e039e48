"""The state of a training, and its file: a resumed run goes on to the bit (CPU, one thread)."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator
from torch.optim import AdamW

from collapse_lab.probes import Observer
from collapse_lab.trainers.cloning import cloned_policy
from collapse_lab.trainers.language_model import LanguageModel, Scorer
from collapse_lab.trainers.policy import Policy, new_policy
from collapse_lab.trainers.recipes import Recipe
from collapse_lab.trainers.samplers import Weights
from collapse_lab.trainers.tasks import TASKS
from collapse_lab.trainers.tasks.base import kind_of, task_seed

TASKS_A_SEED = 10_000_000
"""Room for the tasks of one run; those of run seed s begin at (s + 1) times this, after the
demonstrations."""


@dataclass
class State:
    """All that changes from step to step, and the frozen reference.

    `drawn` counts the tasks sampled so far and `turns` the environment steps, the filter's
    surplus included. Each use of chance has a generator of its own. `past` is a stale sampler's.
    """

    policy: LanguageModel
    reference: Scorer
    optimiser: AdamW
    sampling: Generator
    shuffling: Generator
    observer: Observer
    past: deque[Weights]
    step: int = 0
    drawn: int = 0
    turns: int = 0

    @classmethod
    def begin(cls, recipe: Recipe, cache: Path) -> State:
        """The cloned or the pretrained policy, before any update."""
        if recipe.policy:
            return cls._around(_pretrained(recipe), recipe)
        policy = cloned_policy(TASKS[recipe.task], recipe.size, recipe.cloning, cache)
        return cls._around(policy, recipe)

    @classmethod
    def load(cls, path: Path, recipe: Recipe) -> State:
        """As `save` left it; ValueError when it was another recipe's.

        A pretrained policy's reference and what it does not train are read from where they were.
        """
        saved: dict[str, Any] = torch.load(path, weights_only=True)
        if saved["recipe"] != repr(recipe):
            raise ValueError(
                f"{path} was made by another recipe: choose another folder, or the settings it had:"
                f" {saved['recipe']}"
            )
        if recipe.policy:
            state = cls._around(_pretrained(recipe), recipe)
        else:
            policy = new_policy(TASKS[recipe.task], recipe.size, 0)
            policy.load_state_dict(saved["reference"])
            state = cls._around(policy, recipe)
        with torch.no_grad():
            for name, parameter in state.policy.trained().items():
                parameter.copy_(saved["policy"][name])
        state.optimiser.load_state_dict(saved["optimiser"])
        state.sampling.set_state(saved["sampling"])
        state.shuffling.set_state(saved["shuffling"])
        state.observer.load_state_dict(saved["observer"])
        state.past.extend(saved["past"])
        state.step, state.drawn, state.turns = saved["counts"]
        return state

    def save(self, path: Path, recipe: Recipe) -> None:
        """Replaces the file in one go: it is whole at any time."""
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        reference = self.reference
        saved = {
            "recipe": repr(recipe),
            "policy": {name: p.detach() for name, p in self.policy.trained().items()},
            "reference": reference.state_dict() if isinstance(reference, Policy) else None,
            "optimiser": self.optimiser.state_dict(),
            "sampling": self.sampling.get_state(),
            "shuffling": self.shuffling.get_state(),
            "observer": self.observer.state_dict(),
            "past": list(self.past),
            "counts": (self.step, self.drawn, self.turns),
        }
        torch.save(saved, partial)
        partial.replace(path)

    def next_tasks(self, recipe: Recipe) -> list[int]:
        """Seeds of the next batch of tasks."""
        task = TASKS[recipe.task]
        kinds = task.kinds
        if self.step < recipe.curriculum:
            kinds = kinds[: len(kinds) // 2]
        seeds: list[int] = []
        while len(seeds) < recipe.groups:
            seed = task_seed("train", TASKS_A_SEED * (recipe.seed + 1) + self.drawn)
            self.drawn += 1
            if kinds == task.kinds or kind_of(task, seed) in kinds:
                seeds.append(seed)
        return seeds

    @classmethod
    def _around(cls, policy: LanguageModel, recipe: Recipe) -> State:
        trained = policy.trained().values()
        optimiser = AdamW(trained, recipe.lr, weight_decay=recipe.weight_decay)
        sampling, shuffling = Generator(), Generator()
        sampling.manual_seed(2 * recipe.seed)
        shuffling.manual_seed(2 * recipe.seed + 1)
        observer = Observer(clip=recipe.choices().clip)
        past: deque[Weights] = deque(maxlen=recipe.sampler_lag + 1)
        return cls(policy, policy.frozen(), optimiser, sampling, shuffling, observer, past)


def _pretrained(recipe: Recipe) -> LanguageModel:
    from collapse_lab.trainers.pretrained import pretrained_policy

    return pretrained_policy(recipe.policy, recipe.lora, recipe.response_tokens)
