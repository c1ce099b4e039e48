"""Behaviour cloning: the initial policy, which already solves some of its tasks.

A scripted expert plays with mistakes put in (random actions, broken format) and the policy learns
to predict its responses until, sampled, it solves a given share. Without this every group fails
and every algorithm looks alike; all algorithms start from the same clone.
"""

# torch leaves some of its own methods (tolist, backward, step) without types
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

import collapse_lab.trainers as trainers
from collapse_lab.trainers.policy import (
    END_ID,
    Policy,
    Size,
    Vocabulary,
    left_padded,
    new_policy,
)
from collapse_lab.trainers.samplers import CachedEngine, play, success_rate
from collapse_lab.trainers.tasks.answers import MARKS, OPENERS, answer
from collapse_lab.trainers.tasks.base import Task, task_seed, vocabulary_words

SOURCES = ("tasks", "language_model.py", "policy.py", "samplers.py", "cloning.py")
"""What a clone depends on besides its settings."""


@dataclass(frozen=True)
class Cloning:
    """How the initial policy is made; its success is sampled at temperature 1, every
    `check_every` updates on `checked` episodes."""

    episodes: int = 4000
    random_actions: float = 0.25
    broken_format: float = 0.06
    success: float = 0.33
    check_every: int = 20
    checked: int = 128
    most_updates: int = 3000
    batch: int = 256
    lr: float = 2e-3
    seed: int = 0


class DidNotLearn(RuntimeError):
    """The clone is not at the asked success after all its updates."""


def cloned_policy(task: type[Task], size: Size, cloning: Cloning, cache: Path) -> Policy:
    """The clone with these settings, from `cache` if it was made before with this code."""
    path = cache / f"{task.name}-{_version(task, size, cloning)}.pt"
    policy = new_policy(task, size, cloning.seed)
    if path.exists():
        policy.load_state_dict(torch.load(path, weights_only=True))
        return policy
    clone(policy, task, cloning)
    cache.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    torch.save(policy.state_dict(), partial)
    partial.replace(path)
    return policy


def clone(policy: Policy, task: type[Task], cloning: Cloning) -> float:
    """Trains the policy in place; returns its sampled success, DidNotLearn if too little."""
    prompts, responses = zip(*demonstrations(task, cloning), strict=True)
    prompt_BP, prompt_mask_BP = left_padded(prompts)
    response_BT = pad_sequence([torch.tensor(r) for r in responses], batch_first=True)
    length_B = torch.tensor([len(response) for response in responses])
    mask_BT = torch.arange(response_BT.shape[1]) < length_B[:, None]
    generator = torch.Generator().manual_seed(cloning.seed)
    engine = CachedEngine(policy, generator)
    optimiser = torch.optim.AdamW(policy.parameters(), cloning.lr, weight_decay=0.01)
    success = 0.0
    for update in range(1, cloning.most_updates + 1):
        rows: Tensor = torch.randint(len(prompts), (cloning.batch,), generator=generator)
        logp_BT, _ = policy.token_statistics(
            prompt_BP[rows], prompt_mask_BP[rows], response_BT[rows]
        )
        optimiser.zero_grad()
        (-logp_BT[mask_BT[rows]].mean()).backward()
        optimiser.step()
        if update % cloning.check_every == 0:
            seeds = [task_seed("train", i) for i in range(cloning.checked)]
            success = success_rate(play(task, seeds, 1, engine))
            if success >= cloning.success:
                return success
    raise DidNotLearn(
        f"{task.name}: sampled success is {success:.2f} after {cloning.most_updates} updates, "
        f"below {cloning.success}; allow more updates or demonstrate with fewer mistakes"
    )


def demonstrations(task: type[Task], cloning: Cloning) -> Iterator[tuple[list[int], list[int]]]:
    """Prompt and response of every turn that the fallible expert plays."""
    random = Random(cloning.seed)
    vocabulary = Vocabulary(vocabulary_words(task))
    game = task()
    for index in range(cloning.episodes):
        observation = game.reset(task_seed("train", index))
        done = False
        while not done:
            thought, action = game.expert()
            if random.random() < cloning.random_actions:
                action = random.choice(game.admissible())
            response = answer(f"{random.choice(OPENERS)} {thought}", action)
            if random.random() < cloning.broken_format:
                response = _broken(response, random)
            yield vocabulary.encode(observation.text), [*vocabulary.encode(response), END_ID]
            step = game.step(response)
            observation, done = step.observation, step.done


def _broken(response: str, random: Random) -> str:
    """One mark is missing, or stands where another one should."""
    mark = random.choice(MARKS)
    return " ".join(response.replace(mark, random.choice(["", *MARKS])).split())


def _version(task: type[Task], size: Size, cloning: Cloning) -> str:
    digest = hashlib.sha256(f"{task.name} {size} {cloning} {torch.__version__}".encode())
    folder = Path(trainers.__path__[0])
    for source in SOURCES:
        path = folder / source
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
