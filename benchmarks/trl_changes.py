"""Changes a TRL training while it goes on, as `trl_settings.Change` says."""

from __future__ import annotations

from collections import deque
from typing import Any

import torch
from transformers import TrainerCallback

from benchmarks.trl_settings import Change, Setting


class Changing(TrainerCallback):
    """Makes the setting's change before the first update of its record; `trainer` is set later."""

    trainer: Any

    def __init__(self, setting: Setting, seed: int) -> None:
        assert setting.change is not None
        self.change = setting.change
        self.at = setting.change.at(seed) * setting.updates * setting.iterations

    def on_step_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if state.global_step == self.at:
            apply(self.change, self.trainer)


def apply(change: Change, trainer: Any) -> None:
    schedule = trainer.lr_scheduler
    schedule.base_lrs = [rate * change.rate for rate in schedule.base_lrs]
    if change.pay is not None:
        trainer.reward_weights = torch.tensor([w for w in change.pay if w is not None])
    if change.entropy is not None:
        trainer.entropy_coef, trainer._entropy_bonus_enabled = change.entropy, True
    if change.temperature is not None:
        trainer.generation_config.temperature = change.temperature
    if change.lag:
        sample_late(trainer.model, change.lag)


def sample_late(policy: Any, lag: int) -> None:
    """From now on the policy samples with the weights of up to `lag` batches ago."""
    past: deque[dict[str, torch.Tensor]] = deque(maxlen=lag + 1)
    generate = policy.generate

    def late(*given: Any, **named: Any) -> Any:
        past.append({name: value.clone() for name, value in policy.state_dict().items()})
        policy.load_state_dict(past[0])
        drawn = generate(*given, **named)
        policy.load_state_dict(past[-1])
        return drawn

    policy.generate = late
