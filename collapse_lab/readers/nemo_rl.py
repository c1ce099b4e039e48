"""NeMo-RL: a block of bullet lines a step, under a header that counts.

    ========================= Step 3/1000 =========================
    📊 Training Results:
      • Loss: 0.1234
      • Avg Reward: 0.3210

Numbers have four decimals, so a divergence below 1e-4 reads 0, and gradient norm and entropy are
only in the trackers. Source: NeMo-RL `algorithms/grpo.py`.
"""

from __future__ import annotations

import re
from typing import ClassVar

from collapse_lab.readers.base import SURE, Row, clean, number

_HEADER = re.compile(r"=+ Step (\d+)/\d+ =+")
_BLOCK = re.compile(r"(Training Results|Validation Results|Timing):\s*$")
_BULLET = re.compile(r"^\W*• ([^:]+): (\S+?)(s|ms| tokens)?\s*$")

_KEYS = {
    "Loss": "train/loss",
    "Generation KL Error": "train/gen_kl_error",
    "Avg Reward": "train/reward",
    "Avg Filtered Reward": "train/filtered_reward",
    "Avg Total Reward": "train/reward",
    "Mean Generation Length": "train/mean_gen_tokens_per_sample",
    "Accuracy": "validation/accuracy",
    "Total step time": "timing/train/total_step_time",
}
"""Label on the console -> the key under which the same number goes to the trackers."""


class NemoRlConsole:
    """One row a block; the rows of a step merge."""

    name: ClassVar[str] = "nemo-rl-console"
    framework: ClassVar[str | None] = "nemo-rl"
    merges: ClassVar[bool] = True

    def __init__(self) -> None:
        self._step: int | None = None
        self._block = ""
        self._values: dict[str, float] = {}

    @classmethod
    def claims(cls, head: list[str]) -> float:
        form = cls()
        rows = [row for line in head for row in form.feed(line)] + form.close()
        return SURE if rows else 0.0

    def feed(self, line: str) -> list[Row]:
        if self._block and "•" in line:
            if bullet := _BULLET.match(clean(line)):
                self._add(bullet[1].strip(), bullet[2])
            return []
        header = _HEADER.search(line) if "= Step " in line else None
        block = _BLOCK.search(clean(line)) if line.rstrip().endswith(":") else None
        if not (header or block or (self._values and line.strip())):
            return []
        rows = self.close()
        if header:
            self._step = int(header[1])
        self._block = block[1] if block and self._step is not None else ""
        return rows

    def close(self) -> list[Row]:
        values, self._values = self._values, {}
        self._block = ""
        return [Row(self._step, values)] if values else []

    def _add(self, label: str, text: str) -> None:
        value = number(text)
        if value is None or (self._block == "Timing" and label not in _KEYS):
            return
        prefix = "validation/" if self._block == "Validation Results" else ""
        self._values[_KEYS.get(label, prefix + label)] = value
