"""The protocol of a task: `reset(seed)`, then `step(response)` until done, all in words.

A task speaks in whitespace-separated words from its own closed vocabulary. Its observation is the
whole prompt of a turn (goal, surroundings, a short memory), so that a row of training data is one
turn. Only solving the task is rewarded; what a malformed answer costs is the trainer's affair.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal, NamedTuple

from collapse_lab.trainers.tasks.answers import MARKS, OPENERS, action_in

SUCCESS_REWARD = 10.0
"""As in ARLArena (arXiv 2602.21534); every other turn is worth 0."""

Split = Literal["train", "held_out"]


@dataclass(frozen=True, slots=True)
class Observation:
    """What the agent is told: `text` is the prompt, `anchor` the part that names the state.

    Two turns of a group with equal anchors are in the same state of the world (GiGPO compares
    their returns), whatever the agent remembers of the way there.
    """

    text: str
    anchor: str


class Step(NamedTuple):
    """One turn's outcome. `valid_action` implies `valid_format`; an invalid turn changes nothing.

    `score` in [0, 1] is the task's own graded measure: 1 exactly when solved. `action` is what a
    well-formed response asked for, "" for any other.
    """

    observation: Observation
    reward: float
    done: bool
    valid_format: bool
    valid_action: bool
    score: float
    action: str


class Task(ABC):
    """One episode at a time; `reset` begins another."""

    name: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]]
    """Task types, for success by type."""
    words: ClassVar[tuple[str, ...]]
    """Every word that the task says or understands, beyond those of the answer format; none where
    the vocabulary is open, so that only a pretrained policy can play."""
    rules: ClassVar[str]
    """What a policy that never saw the task must be told: the observation, and every action."""
    turn_limit: ClassVar[int]
    response_limit: ClassVar[int]
    """Tokens of a response, the end token included."""

    kind: str
    """Type of the episode that runs."""

    def reset(self, seed: int) -> Observation:
        """Begins the episode that this seed names."""
        self.turn = 0
        self.outcome = "start"
        self.begin(Random(seed))
        return self.observe()

    def step(self, response: str) -> Step:
        """Plays one response. Anything malformed or inadmissible only costs the turn."""
        action = action_in(response)
        valid = action is not None and self.admits(action)
        if valid:
            assert action is not None
            self.outcome = "done"
            self.act(action)
        else:
            self.outcome = "invalid"
        self.turn += 1
        score = self.score()
        solved = score == 1.0
        done = solved or self.over() or self.turn >= self.turn_limit
        reward = SUCCESS_REWARD if solved else 0.0
        return Step(self.observe(), reward, done, action is not None, valid, score, action or "")

    def admits(self, action: str) -> bool:
        """Whether the action can be taken now."""
        return action in self.admissible()

    def over(self) -> bool:
        """Whether the episode has ended unsolved, before the turn limit."""
        return False

    @abstractmethod
    def begin(self, random: Random) -> None:
        """Sets up a solvable episode, drawing from `random` only."""

    @abstractmethod
    def observe(self) -> Observation:
        """The state as the agent sees it."""

    @abstractmethod
    def admissible(self) -> list[str]:
        """Actions that can be taken now, in a fixed order; where they are too many, examples."""

    @abstractmethod
    def act(self, action: str) -> None:
        """Takes an admissible action; may set `outcome`, the word that the next prompt ends on."""

    @abstractmethod
    def score(self) -> float:
        """How much of the task is done, in [0, 1]."""

    @abstractmethod
    def expert(self) -> tuple[str, str]:
        """Thought (two words) and action of a scripted player who knows only what was observed."""


class Episodes:
    """A batch of episodes side by side: the vectorised form of a task."""

    def __init__(self, task: type[Task], size: int) -> None:
        self.games = [task() for _ in range(size)]

    def reset(self, seeds: Sequence[int]) -> list[Observation]:
        """Begins one episode a seed; equal seeds are equal episodes."""
        return [game.reset(seed) for game, seed in zip(self.games, seeds, strict=True)]

    def step(self, which: Sequence[int], responses: Sequence[str]) -> list[Step]:
        """Plays one response in each of the episodes `which`."""
        return [self.games[i].step(response) for i, response in zip(which, responses, strict=True)]


def task_seed(split: Split, index: int) -> int:
    """Seed number `index` of a split. The splits share no seed: one has the even ones."""
    return 2 * index + (split == "held_out")


def kind_of(task: type[Task], seed: int) -> str:
    """The type of the episode that a seed names."""
    game = task()
    game.reset(seed)
    return game.kind


def split_and_index(seed: int) -> tuple[Split, int]:
    """What `task_seed` made the seed of.

    >>> split_and_index(task_seed("held_out", 7))
    ('held_out', 7)
    """
    return ("held_out" if seed % 2 else "train"), seed // 2


def vocabulary_words(task: type[Task]) -> tuple[str, ...]:
    """Every word of a task, in a fixed order: format, outcomes, openers, then its own."""
    return tuple(dict.fromkeys((*MARKS, "start", "done", "invalid", *OPENERS, *task.words)))
