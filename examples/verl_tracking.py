"""verl's own `Tracking`, recorded beside its console: made-up numbers whose entropy falls.

    python examples/verl_tracking.py

A real verl training logs inside a Ray actor, so there the patch is loaded by verl itself:

    VERL_USE_EXTERNAL_MODULES=collapse_lab.integrations.verl python -m verl.trainer.main_ppo ...
"""

from __future__ import annotations

import math
import random

from verl.utils.tracking import Tracking

import collapse_lab


def main() -> None:
    chance = random.Random(0)
    tracking = Tracking("examples", "verl-tracking", default_backend="console")
    with collapse_lab.watch_verl(planned_steps=200) as run:
        for step in range(1, 201):
            decay = math.exp(-max(0, step - 100) / 12)
            tracking.log(
                {
                    "actor/entropy": 0.5 * decay * math.exp(chance.gauss(0, 0.03)),
                    "actor/grad_norm": math.exp(chance.gauss(0, 0.2)) / decay,
                    "critic/score/mean": 0.4 + chance.gauss(0, 0.04),
                },
                step=step,
            )
        run.flush()
        print(f"{run.folder}: {len(run.alarms)} alarms")


if __name__ == "__main__":
    main()
