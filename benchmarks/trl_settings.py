"""The settings of the TRL runs, as data: what was varied, and what it was meant to end in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Reward = Callable[..., list[float]]


@dataclass(frozen=True)
class Change:
    """What changes in mid-run, `after` so many records and 30 more for each seed.

    `rate` multiplies the rate. `pay` weighs the rewards anew. `entropy` is the bonus. `temperature`
    is that of sampling alone, and `lag` how many records old the weights become that sample: TRL
    knows of neither. None, and a lag of 0, leave things as they are.
    """

    after: int = 100
    rate: float = 1.0
    pay: tuple[float | None, ...] | None = None
    entropy: float | None = None
    temperature: float | None = None
    lag: int = 0

    def at(self, seed: int) -> int:
        """The first record that it concerns, counted from 0."""
        return self.after + 30 * seed


@dataclass(frozen=True)
class Setting:
    """One setting, run with every seed of `seeds`. A record is a batch of rollouts.

    `failure` is what the setting is meant to provoke, "" where it is a sound one. `rows` are the
    completions of a batch. `warm_up`
    counts records over which the rate rises; `schedule` is transformers' name. `updates` are the
    mini-batches of a batch of rollouts, `iterations` how often each is used. `pay` weighs the
    reward functions accuracy, format, thought and order; None leaves one out, and `hidden` says
    that what is paid for is not what is wanted. `arguments` go to GRPOConfig as they stand.
    `resume_at` is the record after which the training stops and resumes from its checkpoint, which
    may hold the weights alone, so that Adam begins anew. `change` is what changes in mid-run.
    """

    name: str
    failure: str
    seeds: tuple[int, ...]
    lr: float
    algorithm: str = "grpo"
    """TRL's `loss_type`, or gspo: its sequence-level ratios with the clip of that paper."""
    task: str = "sort"
    records: int = 120
    rows: int = 128
    updates: int = 4
    iterations: int = 1
    warm_up: int = 5
    schedule: str = "constant_with_warmup"
    success: float = 0.35
    pay: tuple[float | None, ...] = (1.0, 0.1, None, None)
    hidden: bool = False
    resume_at: int = 0
    keeps_optimiser: bool = True
    change: Change | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def paid(self, rewards: Sequence[Reward]) -> list[Reward]:
        """Those of the four reward functions that this setting weighs."""
        return [r for r, weight in zip(rewards, self.pay, strict=True) if weight is not None]


def entropy_at(target: float, delta: float = 0.002) -> dict[str, Any]:
    """TRL's controller: below the target the bonus grows by `delta` an update."""
    return {
        "use_adaptive_entropy": True,
        "entropy_target": target,
        "entropy_coef_delta": delta,
    }


SOUND = (
    Setting("grpo", "", (0, 1, 3, 4), lr=2e-4),
    Setting("grpo-slow", "", (1, 3), lr=1e-4),
    Setting("grpo-on-policy", "", (1, 4), lr=5e-4, updates=1, records=160),
    Setting("grpo-kl", "", (2, 3), lr=3e-4, updates=2, arguments={"beta": 0.02}),
    Setting("grpo-reverse", "", (4, 0), lr=3e-4, updates=2, task="reverse"),
    Setting("dr_grpo", "", (3, 1), lr=3e-4, updates=2, algorithm="dr_grpo"),
    Setting("bnpo", "", (4, 2), lr=3e-4, updates=2, algorithm="bnpo"),
    Setting(
        "dapo",
        "",
        (3, 0),
        lr=3e-4,
        updates=2,
        algorithm="dapo",
        arguments={"epsilon_high": 0.28},
    ),
    Setting("gspo", "", (4, 1), lr=3e-4, updates=2, algorithm="gspo"),
    Setting(
        "cispo-slow",
        "",
        (3, 2),
        lr=2e-4,
        updates=2,
        algorithm="cispo",
        arguments={"epsilon_high": 5.0},
    ),
)
HARD_NEGATIVES = (
    Setting("entropy-held", "", (0, 3), lr=3e-4, arguments=entropy_at(0.6)),
    Setting("entropy-held-hard", "", (0,), lr=4e-4, arguments=entropy_at(0.6, delta=0.02)),
    Setting("entropy-bonus", "", (0, 4), lr=3e-4, arguments={"entropy_coef": 0.15}),
    Setting("verbose", "", (0, 3), lr=3e-4, pay=(1.0, 0.1, 3.0, None), hidden=True),
    Setting("two-verifiers", "", (0, 4), lr=3e-4, pay=(1.0, 0.1, None, 1.0), hidden=True),
    Setting("mostly-order", "", (4,), lr=3e-4, pay=(0.25, 0.1, None, 1.0), hidden=True),
    Setting("decay", "", (4, 1), lr=4e-4, updates=2, schedule="linear"),
    Setting("long-warm-up", "", (1, 3), lr=3e-4, updates=2, warm_up=90),
    Setting("resumed", "", (2, 4), lr=3e-4, updates=2, resume_at=60),
    Setting(
        "resumed-weights-only",
        "",
        (3, 0),
        lr=3e-4,
        updates=2,
        resume_at=60,
        keeps_optimiser=False,
    ),
    Setting("never-learned", "", (1, 4), lr=1e-7, updates=1, success=0.01),
)
BROKEN = (
    Setting("entropy-target", "entropy_explosion", (0, 1), lr=3e-4, arguments=entropy_at(2.0)),
    Setting(
        "entropy-target-slow",
        "entropy_explosion",
        (3, 4),
        lr=3e-4,
        arguments=entropy_at(2.0, delta=0.0012),
    ),
    Setting("pays-for-thought", "length", (0, 1), lr=3e-4, pay=(1.0, 0.1, 6.0, None), hidden=True),
    Setting(
        "pays-for-thought-slow",
        "length",
        (3, 4),
        lr=1.5e-4,
        pay=(1.0, 0.1, 6.0, None),
        hidden=True,
    ),
    Setting(
        "careless-verifier",
        "reward_hacking",
        (0, 3),
        lr=3e-4,
        pay=(0.0, 0.1, None, 1.0),
        hidden=True,
    ),
    Setting("ramp", "learning_rate", (3, 0, 4), lr=2e-3, warm_up=120),
    Setting("ramp-steep", "learning_rate", (0,), lr=6e-3, warm_up=120),
    Setting(
        "ramp-dapo",
        "learning_rate",
        (3, 2),
        lr=2e-3,
        algorithm="dapo",
        warm_up=160,
        records=160,
        arguments={"epsilon_high": 0.28},
    ),
    Setting("ramp-reverse", "learning_rate", (4, 0), lr=2e-3, task="reverse", warm_up=120),
    Setting(
        "tolerant-cispo",
        "tolerant_clip",
        (3, 0, 4),
        lr=8e-4,
        algorithm="cispo",
        updates=8,
        warm_up=120,
        arguments={"epsilon_high": 5.0},
    ),
    Setting(
        "tolerant-cispo-fast",
        "tolerant_clip",
        (0,),
        lr=1e-3,
        algorithm="cispo",
        updates=8,
        warm_up=20,
        arguments={"epsilon_high": 5.0},
    ),
    Setting(
        "tolerant-sapo",
        "tolerant_clip",
        (4, 0),
        lr=8e-4,
        algorithm="sapo",
        updates=8,
        warm_up=120,
    ),
    Setting(
        "stale",
        "staleness",
        (3, 0),
        lr=6e-4,
        iterations=4,
        warm_up=120,
        arguments={"epsilon": 0.9, "epsilon_high": 10.0},
    ),
    Setting(
        "stale-fast",
        "staleness",
        (0,),
        lr=5e-4,
        records=100,
        updates=8,
        iterations=4,
        warm_up=20,
        arguments={"epsilon": 0.9, "epsilon_high": 10.0},
    ),
)
OTHER_FAULTS = (
    Setting(
        "kl-unclipped",
        "numerical",
        (3, 0),
        lr=4e-3,
        warm_up=120,
        arguments={"beta": 0.02, "max_grad_norm": 0.0},
    ),
    Setting(
        "hot-sampler",
        "mismatch",
        (4, 1),
        lr=3e-4,
        arguments={"generation_kwargs": {"temperature": 1.5}},
    ),
    Setting(
        "cold-sampler",
        "mismatch",
        (3, 0),
        lr=3e-4,
        arguments={"generation_kwargs": {"temperature": 0.5}},
    ),
    Setting("sharpened", "entropy_collapse", (4, 2), lr=3e-4, arguments={"entropy_coef": -0.3}),
)
SETTINGS = SOUND + HARD_NEGATIVES + BROKEN + OTHER_FAULTS
