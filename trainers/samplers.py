"""Multi-turn rollouts: episodes side by side, one batched generation a turn.

`play` knows tasks and turns; an `Engine` only draws responses to prompts, so that another one
(vLLM) takes this one's place. Shapes as in rollouts.py, and U distinct prompts.
"""

# torch leaves some of its own methods (tolist, backward, step) without types
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol, cast

import torch
from torch import Generator, Tensor
from torch.nn.utils.rnn import pad_sequence

from collapse_lab.trainers.language_model import Codec, LanguageModel
from collapse_lab.trainers.policy import Vocabulary, left_padded
from collapse_lab.trainers.rollouts import Rollouts
from collapse_lab.trainers.tasks.base import Episodes, Observation, Step, Task, vocabulary_words

NOISE_NUMBERS = 1 << 24
"""Random numbers drawn in one call at most: 64 MB."""


@dataclass(frozen=True, slots=True)
class Responses:
    """Right-padded tokens, each row up to and including its end token, and their log-probs at
    temperature 1, whatever they were drawn at."""

    ids_BT: Tensor
    mask_BT: Tensor
    logp_BT: Tensor


class Engine(Protocol):
    """Draws one response a prompt, with the weights that the trainer had at `synchronise`."""

    def synchronise(self) -> None:
        """Takes up the trainer's weights as they are now."""
        ...

    def respond(self, prompts: Sequence[Sequence[int]], limit: int) -> Responses:
        """At most `limit` tokens each."""
        ...


class CachedEngine:
    """The policy itself with a key-value cache; its log-probs are the trainer's.

    Prompts that are equal, as those of a group's first turn, are read once.
    """

    def __init__(
        self, policy: LanguageModel, generator: Generator, temperature: float = 1.0
    ) -> None:
        self.policy = policy
        self.generator = generator
        self.temperature = temperature

    def synchronise(self) -> None:
        """The weights are the trainer's own."""

    @torch.no_grad()
    def respond(self, prompts: Sequence[Sequence[int]], limit: int) -> Responses:
        distinct = {tuple(prompt): 0 for prompt in prompts}
        for place, prompt in enumerate(distinct):
            distinct[prompt] = place
        index_B = torch.tensor([distinct[tuple(prompt)] for prompt in prompts])
        prompt_UP, mask_UP = left_padded(list(distinct))
        columns = prompt_UP.shape[1]
        cache = self.policy.empty_cache(len(distinct), columns + limit)
        logits_BV = self.policy(prompt_UP, mask_UP, 1, cache)[index_B, 0]
        cache.rows(index_B)
        seen = torch.ones(len(prompts), columns + limit, dtype=torch.bool)
        seen[:, :columns] = mask_UP[index_B]

        end_E = torch.tensor(self.policy.end_ids)
        going_B = torch.ones(len(prompts), dtype=torch.bool)
        ids: list[Tensor] = []
        mask: list[Tensor] = []
        logp: list[Tensor] = []
        for t, noise_BV in enumerate(self._noise(limit, *logits_BV.shape)):
            logp_BV = logits_BV.log_softmax(-1)
            drawn_B = (logp_BV / self.temperature - noise_BV).argmax(-1)
            ids.append(drawn_B * going_B)
            mask.append(going_B)
            logp.append(logp_BV.gather(1, drawn_B[:, None]).squeeze(1) * going_B)
            going_B = going_B & ~torch.isin(drawn_B, end_E)
            if t == limit - 1 or not going_B.any():
                break
            logits_BV = self.policy(drawn_B[:, None], seen[:, : columns + t + 1], 1, cache)[:, 0]
        return Responses(torch.stack(ids, 1), torch.stack(mask, 1), torch.stack(logp, 1))

    def _noise(self, steps: int, rows: int, words: int) -> Iterator[Tensor]:
        """log Exp(1) for each step: argmax(log p - noise) draws from p.

        One call draws as many steps as fit, which for a small vocabulary is the whole turn.
        """
        at_once = max(1, NOISE_NUMBERS // (rows * words))
        for first in range(0, steps, at_once):
            noise = torch.empty(min(at_once, steps - first), rows, words)
            yield from noise.exponential_(generator=self.generator).log()


Weights = dict[str, Tensor]
"""Those that training changes, by name."""


class BehindEngine:
    """Another engine with the weights of some synchronisations ago, as where sampler and trainer
    run side by side, or with rounded ones, as where the sampler is quantised.

    `bits` is the width of a weight (0: exact): each row of a matrix is rounded to 2^(bits - 1) - 1
    even steps up to its largest magnitude. `past` keeps the trainer's weights, newest last, and has
    room for one more than the lag; the trainer keeps it with its own state, so that a resumed run
    goes on as late as it was. Until it is full, the oldest there are serve.
    """

    def __init__(
        self,
        policy: LanguageModel,
        start: Callable[[LanguageModel], Engine],
        past: deque[Weights],
        bits: int = 0,
    ) -> None:
        self.policy = policy
        self.past = past
        self.bits = bits
        self.behind = copy.deepcopy(policy)
        self.engine = start(self.behind)

    @torch.no_grad()
    def synchronise(self) -> None:
        self.past.append({name: p.detach().clone() for name, p in self.policy.trained().items()})
        for name, parameter in self.behind.trained().items():
            parameter.copy_(rounded(self.past[0][name], self.bits))
        self.engine.synchronise()

    def respond(self, prompts: Sequence[Sequence[int]], limit: int) -> Responses:
        return self.engine.respond(prompts, limit)


def rounded(weight: Tensor, bits: int) -> Tensor:
    """The weight in a width of `bits`, row by row; vectors and 0 bits leave it as it is."""
    if not bits or weight.ndim < 2:
        return weight
    steps = 2 ** (bits - 1) - 1
    unit = (weight.abs().amax(-1, keepdim=True) / steps).clamp(min=1e-12)
    return (weight / unit).round() * unit


def play(
    task: type[Task],
    seeds: Sequence[int],
    group_size: int,
    engine: Engine,
    codec: Codec | None = None,
) -> Rollouts:
    """Plays each seed `group_size` times to the end; rows in order of turn, then of trajectory.

    `codec` is the policy's, by default the task's own vocabulary. `old_logp_BT` is the engine's
    own until the trainer puts its own in.
    """
    codec = codec or Vocabulary(vocabulary_words(task))
    limit = codec.response_limit(task)
    trajectories = [seed for seed in seeds for _ in range(group_size)]
    episodes = Episodes(task, len(trajectories))
    observations: dict[int, Observation] = dict(enumerate(episodes.reset(trajectories)))
    rows: list[_Row] = []
    total = [0.0] * len(trajectories)
    turn = 0
    while observations:
        active = [*observations]
        prompts = [codec.encode(observations[i].text) for i in active]
        drawn = engine.respond(prompts, limit)
        lengths = cast("list[int]", drawn.mask_BT.sum(1).tolist())
        ids_BT = cast("list[list[int]]", drawn.ids_BT.tolist())
        texts = [codec.decode(ids[:n]) for ids, n in zip(ids_BT, lengths, strict=True)]
        steps = episodes.step(active, texts)
        for b, (i, step) in enumerate(zip(active, steps, strict=True)):
            kept = slice(lengths[b])
            response, logp = drawn.ids_BT[b, kept], drawn.logp_BT[b, kept]
            anchor = _key(observations[i].anchor)
            rows.append(_Row(i, turn, prompts[b], response, logp, anchor, step))
            total[i] += step.reward
        observations = {
            i: step.observation for i, step in zip(active, steps, strict=True) if not step.done
        }
        turn += 1
    kinds = torch.tensor([task.kinds.index(game.kind) for game in episodes.games])
    return _assemble(rows, torch.tensor(total), group_size, kinds)


@dataclass(frozen=True, slots=True)
class _Row:
    trajectory: int
    turn: int
    prompt: list[int]
    response: Tensor
    logp: Tensor
    anchor: int
    step: Step


def _assemble(rows: list[_Row], reward: Tensor, group_size: int, kinds: Tensor) -> Rollouts:
    trajectory_B = torch.tensor([row.trajectory for row in rows])
    prompt_ids_BP, prompt_mask_BP = left_padded([row.prompt for row in rows])
    length_B = torch.tensor([len(row.response) for row in rows])
    logp_BT = pad_sequence([row.logp for row in rows], batch_first=True)

    def of_steps(value: Callable[[Step], float | bool]) -> Tensor:
        return torch.tensor([value(row.step) for row in rows])

    return Rollouts(
        prompt_ids_BP=prompt_ids_BP,
        prompt_mask_BP=prompt_mask_BP,
        response_ids_BT=pad_sequence([row.response for row in rows], batch_first=True),
        mask_BT=torch.arange(logp_BT.shape[1]) < length_B[:, None],
        sampler_logp_BT=logp_BT,
        old_logp_BT=logp_BT,
        group_B=trajectory_B // group_size,
        trajectory_B=trajectory_B,
        turn_B=torch.tensor([row.turn for row in rows]),
        anchor_B=torch.tensor([row.anchor for row in rows]),
        action_B=torch.tensor([_key(row.step.action) for row in rows]),
        reward_B=reward[trajectory_B],
        step_reward_B=of_steps(lambda step: step.reward),
        format_valid_B=of_steps(lambda step: step.valid_format),
        action_valid_B=of_steps(lambda step: step.valid_action),
        task_type_B=kinds[trajectory_B],
    )


def success_rate(rollouts: Rollouts) -> float:
    """Share of trajectories that were solved."""
    first = rollouts.turn_B == 0
    return float(rollouts.success_B[first].float().mean())


def _key(text: str) -> int:
    """A hash that is the same in every process, in 56 bits."""
    return int.from_bytes(blake2b(text.encode(), digest_size=7).digest())
