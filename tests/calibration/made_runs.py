"""Runs with a healthy wobble in six signals; some lose their course, some their reward."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from collapse_lab.records import Record
from collapse_lab.store import RunWriter

NAMES = ("policy/entropy", "optim/grad_norm", "length/mean", "mismatch/k3_kl", "kl/ref")


def made_run(
    seed: int, records: int = 60, onset: int | None = None, speed: float = 0.35, lost: bool = False
) -> list[Record]:
    """From `onset` on every signal grows by `speed` a record; if `lost`, the reward is gone."""
    random = np.random.default_rng(seed)
    made: list[Record] = []
    for step in range(records):
        late = max(0, step - onset) if onset is not None else 0
        values = {
            name: float(np.exp(random.normal(-1, 0.15) + speed * min(late, 12))) for name in NAMES
        }
        level = 0.01 if lost and late > 5 else min(0.7, 0.1 + step / 30)
        values["reward/mean"] = float(np.clip(random.normal(level, 0.03), 0, 1))
        made.append(Record(step, math.nan, values))
    return made


def keep(folder: Path, records: list[Record], **meta: object) -> Path:
    """Writes a finished run folder."""
    writer = RunWriter(folder, meta)
    for record in records:
        writer.append(record)
    writer.finish()
    return folder
