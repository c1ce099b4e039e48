"""What the loop shows: its tensors to the probes, a few episodes and the time to people."""

# torch leaves some of its own methods (tolist, unique) without types
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from collapse_lab.probes import StepTensors
from collapse_lab.probes.credit import filtering
from collapse_lab.probes.parts import Mean, Parts
from collapse_lab.trainers.filters import Collected
from collapse_lab.trainers.language_model import Codec
from collapse_lab.trainers.rollouts import Rollouts
from collapse_lab.trainers.tasks.base import Task

Texts = list[Mapping[str, Any]]


def sampled_tensors(rollouts: Rollouts, response_limit: int) -> StepTensors:
    """What can be said of rollouts before any filter, so that success is that of the policy."""
    return StepTensors(
        mask=rollouts.mask_BT,
        token_ids=rollouts.response_ids_BT,
        group=rollouts.group_B,
        trajectory=rollouts.trajectory_B,
        turn=rollouts.turn_B,
        anchor=rollouts.anchor_B,
        action=rollouts.action_B,
        reward=rollouts.reward_B,
        success=rollouts.success_B,
        format_valid=rollouts.format_valid_B,
        action_valid=rollouts.action_valid_B,
        truncated=rollouts.mask_BT.sum(1) == response_limit,
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
    solved_N, kind_N = rollouts.success_B[first_B], rollouts.task_type_B[first_B]
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


def transcripts(rollouts: Rollouts, task: type[Task], codec: Codec, episodes: int) -> Texts:
    """The first episodes, one a group, as text turn by turn."""

    def spoken(ids: Tensor, mask: Tensor) -> list[str]:
        return [codec.decode(row[kept].tolist()) for row, kept in zip(ids, mask, strict=True)]

    texts: Texts = []
    for group in rollouts.group_B.unique()[:episodes]:
        group_B = rollouts.group_B == group
        first = rollouts.trajectory_B[group_B].min()
        episode = rollouts.select(rollouts.trajectory_B == first)
        prompts = spoken(episode.prompt_ids_BP, episode.prompt_mask_BP)
        responses = spoken(episode.response_ids_BT, episode.mask_BT)
        texts.append(
            {
                "task": f"{task.name}/{task.kinds[int(episode.task_type_B[0])]}",
                "reward": float(episode.reward_B[0]),
                "turns": [
                    {"prompt": prompt, "response": response}
                    for prompt, response in zip(prompts, responses, strict=True)
                ],
            }
        )
    return texts


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
