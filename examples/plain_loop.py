"""A hand-written training loop: three lines are collapse-lab's, and they are marked.

The "training" is a random walk whose entropy starts to fall at step 120.
"""

from __future__ import annotations

import math
import random

import collapse_lab


def main() -> None:
    chance = random.Random(0)
    with collapse_lab.init("plain-loop", planned_steps=300, stop_on="alarm") as run:  # <- 1
        for step in range(300):
            decay = math.exp(-max(0, step - 120) / 15)
            entropy = 0.8 * decay * math.exp(chance.gauss(0, 0.03))
            reward = min(1.0, 0.3 + step / 500) + chance.gauss(0, 0.05)
            grad_norm = math.exp(chance.gauss(0, 0.2)) / decay
            run.log(  # <- 2
                {
                    "policy/entropy": entropy,
                    "reward/mean": reward,
                    "optim/grad_norm": grad_norm,
                },
                step=step,
            )
            run.flush()  # this loop takes microseconds a step; a real one need not wait
            if run.should_stop():  # <- 3
                print(f"stopped at step {step}, {len(run.alarms)} alarms in {run.folder}")
                break


if __name__ == "__main__":
    main()
