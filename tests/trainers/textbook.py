"""The algorithms once more, as their papers write them: one token at a time, in plain floats.

Nothing here is shared with `collapse_lab.trainers`. A slope is d gain / d log pi of one token, a
loss gradient is -weight * slope.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import mean, stdev

from collapse_lab.trainers.rollouts import Rollouts


@dataclass
class Turn:
    group: int
    trajectory: int
    turn: int
    anchor: int
    reward: float
    step_reward: float
    penalty: float
    entropy: list[float]
    w: list[float]
    """Ratios new / old of the response's tokens."""


def turns_of(rollouts: Rollouts, logp: list[list[float]]) -> list[Turn]:
    turns: list[Turn] = []
    assert rollouts.penalty_B is not None
    assert rollouts.entropy_BT is not None
    for i in range(len(rollouts)):
        length = int(rollouts.mask_BT[i].sum())
        old = rollouts.old_logp_BT[i].tolist()
        turns.append(
            Turn(
                int(rollouts.group_B[i]),
                int(rollouts.trajectory_B[i]),
                int(rollouts.turn_B[i]),
                int(rollouts.anchor_B[i]),
                float(rollouts.reward_B[i]),
                float(rollouts.step_reward_B[i]),
                float(rollouts.penalty_B[i]),
                rollouts.entropy_BT[i].tolist()[:length],
                [math.exp(logp[i][t] - old[t]) for t in range(length)],
            )
        )
    return turns


def informative(turns: list[Turn]) -> list[int]:
    """Indices of the rows that dynamic sampling keeps."""
    kept: list[int] = []
    for i, row in enumerate(turns):
        rewards = {other.reward for other in turns if other.group == row.group}
        if len(rewards) > 1:
            kept.append(i)
    return kept


def grpo_advantage(turns: list[Turn], scaled: bool = True) -> list[float]:
    out: list[float] = []
    for row in turns:
        scores: dict[int, list[float]] = {}
        for other in turns:
            if other.group == row.group:
                scores.setdefault(other.trajectory, []).append(other.reward - other.penalty)
        episodes = [mean(values) for values in scores.values()]
        centred = row.reward - row.penalty - mean(episodes)
        out.append(centred / spread(episodes) if scaled else centred)
    return out


def spread(values: list[float]) -> float:
    """What a score is divided by: 1 where all are equal."""
    return stdev(values) + 1e-6 if stdev(values) > 1e-6 else 1.0


def gigpo_advantage(turns: list[Turn]) -> list[float]:
    def step_return(row: Turn) -> float:
        later = [o for o in turns if o.trajectory == row.trajectory and o.turn >= row.turn]
        return sum(0.95 ** (o.turn - row.turn) * o.step_reward for o in later) - row.penalty

    out: list[float] = []
    for row, episode in zip(turns, grpo_advantage(turns), strict=True):
        peers = [o for o in turns if (o.group, o.anchor) == (row.group, row.anchor)]
        returns = [step_return(o) for o in peers]
        step = 0.0
        if len(peers) > 1:
            step = (step_return(row) - mean(returns)) / spread(returns)
        out.append(episode + 1.0 * step)
    return out


def empg_advantage(turns: list[Turn]) -> list[float]:
    entropy = [mean(row.entropy) for row in turns]
    scaled = [(h - min(entropy)) / (max(entropy) - min(entropy)) for h in entropy]
    g = [math.exp(-h) for h in scaled]
    out: list[float] = []
    for i, (row, base) in enumerate(zip(turns, grpo_advantage(turns), strict=True)):
        value = g[i] / mean(g) * base
        for other, h in zip(turns, scaled, strict=True):
            if other.trajectory == row.trajectory and other.turn == row.turn + 1:
                value += 0.05 * math.exp(-h)
        out.append(value)
    return [value - mean(out) for value in out]


Slopes = Callable[[list[float], float], list[float]]
"""Ratios of one response and its advantage -> slope of each token."""


def ppo(low: float, high: float) -> Slopes:
    def slopes(w: list[float], a: float) -> list[float]:
        clipped = [(a > 0 and r > 1 + high) or (a < 0 and r < 1 - low) for r in w]
        return [0.0 if cut else r * a for r, cut in zip(w, clipped, strict=True)]

    return slopes


def cispo(w: list[float], a: float) -> list[float]:
    return [min(max(r, 0.0), 1.2) * a for r in w]


def sapo(w: list[float], a: float) -> list[float]:
    tau = 1.0 if a > 0 else 1.05
    p = [1 / (1 + math.exp(-tau * (r - 1))) for r in w]
    return [r * 4 * q * (1 - q) * a for r, q in zip(w, p, strict=True)]


def gspo(w: list[float], a: float) -> list[float]:
    s = math.prod(w) ** (1 / len(w))
    return ppo(3e-3, 4e-3)([s] * len(w), a)


def masked(inner: Slopes) -> Slopes:
    def slopes(w: list[float], a: float) -> list[float]:
        drift = -mean(math.log(r) for r in w)
        return [0.0] * len(w) if a < 0 and drift > 3e-3 else inner(w, a)

    return slopes


def m2po(w: list[float], a: float) -> list[float]:
    pushed = {t: math.log(r) ** 2 for t, r in enumerate(w) if math.log(r) * a > 0}
    while pushed and mean(pushed.values()) > 0.04:
        worst = max(pushed, key=lambda t: pushed[t])
        del pushed[worst]
    return [r * a if t in pushed or math.log(r) * a <= 0 else 0.0 for t, r in enumerate(w)]


def vespo(w: list[float], a: float) -> list[float]:
    power, decay = (2, 3) if a >= 0 else (3, 2)
    product = math.prod(w)
    return [product**power * math.exp(decay * (1 - product)) * a] * len(w)


def token_mean(lengths: list[int], width: int) -> list[float]:
    return [1 / sum(lengths) for _ in lengths]


def sequence_mean(lengths: list[int], width: int) -> list[float]:
    return [1 / len(lengths) / length for length in lengths]


def budget(lengths: list[int], width: int) -> list[float]:
    return [1 / (len(lengths) * width) for _ in lengths]


TEXTBOOK = {
    "grpo": (False, grpo_advantage, ppo(0.2, 0.2), token_mean),
    "grpo_st": (False, grpo_advantage, ppo(0.2, 0.2), sequence_mean),
    "dr_grpo": (False, lambda turns: grpo_advantage(turns, False), ppo(0.2, 0.2), budget),
    "dapo": (True, grpo_advantage, ppo(0.2, 0.2), token_mean),
    "cispo": (False, grpo_advantage, cispo, token_mean),
    "sapo": (False, grpo_advantage, sapo, token_mean),
    "gspo": (False, grpo_advantage, gspo, sequence_mean),
    "gigpo": (False, gigpo_advantage, ppo(0.2, 0.2), token_mean),
    "empg": (False, empg_advantage, ppo(0.2, 0.2), token_mean),
    "dapo_gigpo": (True, gigpo_advantage, ppo(0.2, 0.2), token_mean),
    "sampo": (True, gigpo_advantage, gspo, sequence_mean),
    "grpo_sm": (False, grpo_advantage, masked(ppo(0.2, 0.2)), token_mean),
    "cispo_sm": (False, grpo_advantage, masked(cispo), token_mean),
    "sapo_sm": (False, grpo_advantage, masked(sapo), token_mean),
    "m2po": (False, grpo_advantage, m2po, token_mean),
    "vespo": (False, grpo_advantage, vespo, token_mean),
}


def loss_gradient(name: str, rollouts: Rollouts, logp: list[list[float]]) -> list[list[float]]:
    """d loss / d logp for every row and token of the unfiltered rollouts."""
    filtered, advantage, slopes, weigh = TEXTBOOK[name]
    turns = turns_of(rollouts, logp)
    rows = informative(turns) if filtered else list(range(len(turns)))
    kept = [turns[i] for i in rows]
    width = rollouts.mask_BT.shape[1]
    weights = weigh([len(row.w) for row in kept], width)
    gradient = [[0.0] * width for _ in turns]
    for i, row, a, weight in zip(rows, kept, advantage(kept), weights, strict=True):
        for t, slope in enumerate(slopes(row.w, a)):
            gradient[i][t] = -weight * slope
    return gradient
