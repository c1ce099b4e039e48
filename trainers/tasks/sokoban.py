"""Sokoban: a 6 x 6 room, walls around it and some within, one box to push onto the goal.

A room is made by playing backwards from the solved state: the player pulls the box away from the
goal, so a solution exists. The sixteen inner cells are the observation, row by row.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from random import Random

from collapse_lab.trainers.tasks.base import Observation, Task

SIDE = 4
MOVES = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
BACKWARD_MOVES = 40
PULL_SHARE = 0.8
INNER_WALLS = (0, 3)
KINDS = {"short": range(2, 5), "long": range(5, 11)}
"""Kind -> moves of its shortest solution."""

Cell = tuple[int, int]
State = tuple[Cell, Cell]
"""Player and box."""


class Sokoban(Task):
    """Every move is admissible; one against a wall does nothing, as in the game."""

    name = "sokoban"
    kinds = tuple(KINDS)
    words = ("#", "_", "@", "+", "$", "*", "o", *MOVES, "walk", "push", "blocked")
    rules = (
        "An observation is a room of four rows of four cells, and how the last action went: # is a "
        "wall, _ floor, @ you, $ the box, o the goal, + you on the goal. Push the box onto the "
        f"goal. Actions: {', '.join(MOVES)}."
    )
    turn_limit = 14
    response_limit = 12

    def begin(self, random: Random) -> None:
        self.kind = random.choice(self.kinds)
        moves = 0
        while moves not in KINDS[self.kind]:
            cells = [(row, column) for row in range(SIDE) for column in range(SIDE)]
            walls = random.sample(cells, random.randint(*INNER_WALLS))
            self.floor = frozenset(cells) - frozenset(walls)
            self.goal = random.choice(sorted(self.floor))
            self.player, self.box = self._pulled(random)
            moves = len(solve(self.floor, self.goal, (self.player, self.box)) or ())

    def observe(self) -> Observation:
        cells = ((row, column) for row in range(SIDE) for column in range(SIDE))
        room = " ".join(self._symbol(cell) for cell in cells)
        return Observation(f"{room} {self.outcome}", room)

    def admissible(self) -> list[str]:
        return list(MOVES)

    def act(self, action: str) -> None:
        after = moved(self.floor, (self.player, self.box), action)
        if after is None:
            self.outcome = "blocked"
        else:
            self.player, self.box = after

    def score(self) -> float:
        return float(self.box == self.goal)

    def expert(self) -> tuple[str, str]:
        solution = solve(self.floor, self.goal, (self.player, self.box))
        move = solution[0] if solution else "up"
        after = moved(self.floor, (self.player, self.box), move)
        mode = "push" if after is not None and after[1] != self.box else "walk"
        return f"{mode} {move}", move

    def _pulled(self, random: Random) -> State:
        """A state from which the goal can be reached: the end of a walk backwards from it."""
        box = self.goal
        player = random.choice(sorted(self.floor - {box}))
        for _ in range(BACKWARD_MOVES):
            row, column = random.choice(list(MOVES.values()))
            back = _add(player, (row, column))
            if back not in self.floor or back == box:
                continue
            if _add(player, (-row, -column)) == box and random.random() < PULL_SHARE:
                box = player
            player = back
        return player, box

    def _symbol(self, cell: Cell) -> str:
        on_goal = cell == self.goal
        if cell == self.player:
            return "+" if on_goal else "@"
        if cell == self.box:
            return "*" if on_goal else "$"
        return "o" if on_goal else "_" if cell in self.floor else "#"


def moved(floor: frozenset[Cell], state: State, move: str) -> State | None:
    """The state after a move, pushing the box if it is in the way; None where that is blocked."""
    player, box = state
    ahead = _add(player, MOVES[move])
    beyond = _add(ahead, MOVES[move])
    if ahead == box:
        return (ahead, beyond) if beyond in floor else None
    return (ahead, box) if ahead in floor else None


@lru_cache(maxsize=50_000)
def solve(floor: frozenset[Cell], goal: Cell, start: State) -> list[str] | None:
    """A shortest solution by breadth-first search, None when the box is stuck."""
    queue: deque[State] = deque([start])
    came: dict[State, tuple[State, str] | None] = {start: None}
    while queue:
        state = queue.popleft()
        if state[1] == goal:
            moves: list[str] = []
            while (step := came[state]) is not None:
                state, move = step
                moves.append(move)
            return moves[::-1]
        for move in MOVES:
            after = moved(floor, state, move)
            if after is not None and after not in came:
                came[after] = (state, move)
                queue.append(after)
    return None


def _add(cell: Cell, step: Cell) -> Cell:
    return cell[0] + step[0], cell[1] + step[1]
