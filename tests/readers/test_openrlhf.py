"""OpenRLHF's `Global step` lines."""

from __future__ import annotations

import math

import pytest

from collapse_lab.readers.literals import NULL
from collapse_lab.readers.openrlhf import OpenRlhfConsole
from collapse_lab.readers.reader import LineReader

DICT = "{'policy_loss': -0.01, 'reward': 0.5, 'kl': nan, 'ppo_kl': 0.001, 'group_reward_std': None}"


@pytest.mark.parametrize(
    "line",
    [
        f"INFO 08-13 10:00:00 ppo_trainer.py:547] ✨ Global step 12: {DICT}",
        f"\x1b[36m(PPOTrainer pid=7)\x1b[0m INFO ppo_trainer_async.py:244] Global step 12: {DICT}",
    ],
)
def test_a_global_step_is_a_record(line: str) -> None:
    reader = LineReader()
    (record,) = reader.feed(line)
    assert (reader.format, reader.assembler.names.framework) == ("openrlhf-console", "openrlhf")
    assert record.step == 12
    assert record.values["loss/pg"] == -0.01
    assert record.values["reward/mean"] == 0.5
    assert record.values["kl/old"] == 0.001
    assert math.isnan(record.values["kl/ref"])
    assert math.isnan(record.values["reward/group_std"])
    assert record.notes == {"reward/group_std": NULL}


@pytest.mark.parametrize(
    "line",
    [
        "Resuming from Global step 12",
        "Global step 12: {'policy_loss': -0.01, 'rew",
        "Global step 12: done",
        "Episode [1/20]:  50%|#####     | 64/128 [10:00<10:00], act_loss=0.1, reward=0.5",
    ],
)
def test_other_lines_state_nothing(line: str) -> None:
    assert OpenRlhfConsole().feed(line) == []
