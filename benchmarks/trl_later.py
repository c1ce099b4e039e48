"""Settings of TRL runs that are sound for a hundred records before they fail, or to their end; and
of rates that are too high from the start."""

from __future__ import annotations

from typing import Any

from benchmarks.trl_settings import Change, Setting, entropy_at

RECORDS, ROWS = 240, 256


def later(
    name: str, failure: str, lr: float, seeds: tuple[int, ...] = (0, 1, 2, 3), **more: Any
) -> Setting:
    """Twice as many records of twice as many completions: sound for a hundred records first, and
    with less noise, as a run that costs days is."""
    return Setting(f"later-{name}", failure, seeds, lr, records=RECORDS, rows=ROWS, **more)


def constant(name: str, failure: str, lr: float, **more: Any) -> Setting:
    """A rate that is too high from the sixth record on, and stays. Seed 0 was for finding it."""
    return later(f"constant{name}", failure, lr, seeds=(3, 4), **more)


def changed(
    name: str,
    failure: str,
    lr: float,
    change: Change,
    seeds: tuple[int, ...] = (0, 1),
    **more: Any,
) -> Setting:
    """A rate that holds, and something else from record 100, 130 or 160 on, by seed."""
    return later(f"changes-{name}", failure, lr, seeds, change=change, **more)


RISING = RECORDS
"""Records of a warm-up that never ends."""
CLIP_HIGHER = {"epsilon_high": 0.28}
NO_UPPER_CLIP = {"epsilon_high": 5.0}
NO_CLIP = {"epsilon": 0.9, "epsilon_high": 10.0}
LATER = (
    later("ramp", "learning_rate", 2e-3, warm_up=RISING),
    later("grpo", "", 2e-4),
    later(
        "tolerant-cispo",
        "tolerant_clip",
        8e-4,
        algorithm="cispo",
        updates=8,
        warm_up=RISING,
        arguments=NO_UPPER_CLIP,
    ),
    later("dapo", "", 3e-4, algorithm="dapo", updates=2, arguments=CLIP_HIGHER),
    later(
        "stale",
        "staleness",
        6e-4,
        iterations=4,
        warm_up=RISING,
        arguments=NO_CLIP,
    ),
    later("gspo", "", 3e-4, algorithm="gspo", updates=2),
    later("entropy-target", "entropy_explosion", 3e-4, arguments=entropy_at(2.0, delta=0.0006)),
    later("decay", "", 4e-4, updates=2, schedule="linear"),
    later(
        "ramp-dapo", "learning_rate", 2e-3, algorithm="dapo", warm_up=RISING, arguments=CLIP_HIGHER
    ),
    later("warm-up", "", 3e-4, updates=2, warm_up=160),
    later("tolerant-sapo", "tolerant_clip", 8e-4, algorithm="sapo", updates=8, warm_up=RISING),
    later("kl", "", 3e-4, updates=2, arguments={"beta": 0.02}),
    later("sharpened", "entropy_collapse", 3e-4, arguments={"entropy_coef": -1.0}),
    later("resumed", "", 3e-4, updates=2, resume_at=120),
    later(
        "overflow",
        "numerical",
        3e-2,
        warm_up=RISING,
        arguments={"beta": 0.05, "max_grad_norm": 0.0},
    ),
    later("entropy-held", "", 3e-4, arguments=entropy_at(0.6)),
    later("pays-for-thought", "length", 1e-4, pay=(1.0, 0.1, 6.0, None), hidden=True),
    later("cispo", "", 2e-4, algorithm="cispo", updates=2, arguments=NO_UPPER_CLIP),
    later("ramp-reverse", "learning_rate", 2e-3, task="reverse", warm_up=RISING),
    later("reverse", "", 3e-4, updates=2, task="reverse"),
    constant("", "learning_rate", 9e-4),
    constant(
        "-cispo", "tolerant_clip", 5e-4, algorithm="cispo", updates=8, arguments=NO_UPPER_CLIP
    ),
    constant("-sapo", "tolerant_clip", 5e-4, algorithm="sapo", updates=8),
    constant("-stale", "staleness", 3e-4, iterations=4, arguments=NO_CLIP),
    constant("-reverse", "learning_rate", 1.5e-3, task="reverse"),
    constant("-dapo", "learning_rate", 9e-4, algorithm="dapo", arguments=CLIP_HIGHER),
)
THOUGHT = {"pay": (1.0, 0.1, 0.0, None), "hidden": True}
ORDER = {"pay": (1.0, 0.1, None, 0.0), "hidden": True}
CHANGED = (
    changed("rate", "learning_rate", 2e-4, Change(rate=5)),
    changed("slower", "", 3e-4, Change(rate=0.3)),
    changed("rate-more", "learning_rate", 2e-4, Change(rate=10)),
    changed("rate-less", "", 2e-4, Change(rate=1.5)),
    changed(
        "cispo",
        "tolerant_clip",
        1e-4,
        Change(rate=5),
        algorithm="cispo",
        updates=8,
        arguments=NO_UPPER_CLIP,
    ),
    changed("bonus", "entropy_explosion", 3e-4, Change(entropy=0.5)),
    changed("small-bonus", "", 3e-4, Change(entropy=0.05)),
    changed("thought", "length", 3e-4, Change(pay=(1.0, 0.1, 6.0, None)), **THOUGHT),
    changed("order", "reward_hacking", 3e-4, Change(pay=(0.0, 0.1, None, 1.0)), **ORDER),
    changed("double-pay", "", 2e-4, Change(pay=(2.0, 0.2, None, None))),
    changed("late", "staleness", 3e-4, Change(lag=16)),
    changed("late-by-two", "", 2e-4, Change(lag=2)),
    changed("hot", "mismatch", 3e-4, Change(temperature=1.8)),
    changed("colder", "", 2e-4, Change(temperature=0.9)),
    changed("sharpened", "entropy_collapse", 3e-4, Change(entropy=-1.0)),
)
"""Written before any of them was run."""
OTHERS: dict[str, dict[str, Any]] = {
    "dapo": {"algorithm": "dapo", "updates": 2, "arguments": CLIP_HIGHER},
    "gspo": {"algorithm": "gspo", "updates": 2},
    "sapo": {"algorithm": "sapo"},
    "dr_grpo": {"algorithm": "dr_grpo", "updates": 2},
    "reverse": {"task": "reverse", "updates": 2},
}
CHANGED_OTHERS = tuple(
    changed(
        f"{setting.name.removeprefix('later-changes-')}-{name}",
        setting.failure,
        setting.lr,
        setting.change,
        (2,),
        pay=setting.pay,
        hidden=setting.hidden,
        **other,
    )
    for name, other in OTHERS.items()
    for setting in CHANGED
    if setting.change is not None and setting.algorithm == "grpo"
)
"""The same changes for other algorithms and the other task; written when eight of the runs above
were there, and without a choice among the changes."""
