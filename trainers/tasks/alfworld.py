"""ALFWorld itself, through its package: TextWorld's engine on the games in $ALFWORLD_DATA.

Reward and limits are ARLArena's (arXiv 2602.21534): 10 for a game won, 50 turns, a memory of two.
Training games are those of `train`, held-out ones those of `valid_unseen`. Only these are the
benchmark; on games of one's own, as in this project's tests, results are not ALFWorld scores.
"""

from __future__ import annotations

import json
import os
from collections import deque
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

from collapse_lab.trainers.tasks.answers import action_in
from collapse_lab.trainers.tasks.base import Observation, Split, Step, Task, split_and_index

FOLDERS: dict[Split, str] = {"train": "json_2.1.1/train", "held_out": "json_2.1.1/valid_unseen"}
"""In the data folder, as `alfworld-download` leaves it."""
UNSUPPORTED = ("movable", "Sliced")
"""In the path of games that the package leaves out too: its grammar cannot tell them."""
GOAL = "Your task is to: "
NOTHING = "Nothing happens."
"""What the engine says to any command that it does not take."""
MEMORY = 2
SHOWN_CHARACTERS = 60
"""Of an action that is remembered: one that nothing understood may be long."""


class ALFWorld(Task):
    """A game a seed: those of its split in one shuffled order, again from the first after the last.

    The anchor is what the engine last said of the world, as in the paper; what is held is no part
    of it. The vocabulary is open, so that only a pretrained policy plays. The expert is the
    engine's planner, which knows what was not yet seen.
    """

    name = "alfworld"
    kinds = (
        "pick_and_place_simple",
        "look_at_obj_in_light",
        "pick_clean_then_place_in_recep",
        "pick_heat_then_place_in_recep",
        "pick_cool_then_place_in_recep",
        "pick_two_obj_and_place",
    )
    words = ()
    rules = (
        "You are in a room with furniture, and have a task to do there. An observation is the "
        "task, what last happened, and the actions that you can take now: answer with one of them, "
        "word for word."
    )
    turn_limit = 50
    response_limit = 128

    def __init__(self) -> None:
        self._engine: Any = _engine()

    def reset(self, seed: int) -> Observation:
        split, index = split_and_index(seed)
        games = game_files(split, _data())
        self.file = games[index % len(games)]
        return super().reset(seed)

    def begin(self, random: Random) -> None:
        trajectory = json.loads((self.file.parent / "traj_data.json").read_text())
        self.kind = trajectory["task_type"]
        self._engine.load(str(self.file))
        self._state: Any = self._engine.reset()
        _, room, self.goal = self._state.feedback.split("\n\n")
        self.said = self.anchor = room
        self.memory: deque[str] = deque(maxlen=MEMORY)

    def step(self, response: str) -> Step:
        action = action_in(response) or "?"
        self.memory.append(f"{self.said}\n> {action[:SHOWN_CHARACTERS]}")
        self.said = NOTHING
        return super().step(response)

    def observe(self) -> Observation:
        choices = f"Actions: {', '.join(self.admissible())}"
        return Observation("\n".join([self.goal, *self.memory, self.said, choices]), self.anchor)

    def admissible(self) -> list[str]:
        return [command for command in self._state.admissible_commands if command != "help"]

    def act(self, action: str) -> None:
        self._state, _, _ = self._engine.step(action)
        self.said = self.anchor = self._state.feedback

    def score(self) -> float:
        return float(self._state.won)

    def expert(self) -> tuple[str, str]:
        # asked of the planner only here: among the requested infos it would plan every turn
        engine = self._engine.unwrapped
        action = engine._pddl_state.replan(engine._entity_infos)[0]
        return " ".join(action.split()[:2]), action


def _engine() -> Any:
    """TextWorld's, with the package's names of things; ValueError without the package."""
    if find_spec("alfworld") is None or find_spec("textworld") is None:
        raise ValueError(
            "task alfworld is played by its package: pip install alfworld, then alfworld-download "
            "for the games"
        )
    from alfworld.agents.environment.alfred_tw_env import AlfredDemangler  # pyright: ignore
    from textworld import EnvInfos  # pyright: ignore
    from textworld.envs import PddlEnv  # pyright: ignore

    infos: Any = EnvInfos(won=True, admissible_commands=True)
    return AlfredDemangler(PddlEnv(infos))


def _data() -> Path:
    return Path(os.environ.get("ALFWORLD_DATA", "~/.cache/alfworld")).expanduser()


@cache
def game_files(split: Split, data: Path) -> tuple[Path, ...]:
    """The games of a split that can be won, in a fixed shuffled order; ValueError if none."""
    folder = data / FOLDERS[split]
    files = [
        file
        for file in sorted(folder.rglob("game.tw-pddl"))
        if not any(word in str(file.relative_to(folder)) for word in UNSUPPORTED)
        and json.loads(file.read_text()).get("solvable")
    ]
    if not files:
        raise ValueError(
            f"task alfworld has no games in {folder}: alfworld-download fetches them, and "
            "ALFWORLD_DATA names the folder that holds json_2.1.1"
        )
    Random(0).shuffle(files)
    return tuple(files)
