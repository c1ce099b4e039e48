"""Settings of a pretrained chat model under TRL, on a GPU: rates that stay what they are."""

from __future__ import annotations

from typing import Any

from benchmarks.trl_later import NO_CLIP, NO_UPPER_CLIP
from benchmarks.trl_settings import Setting, entropy_at

CHAT = "chat"
RECORDS, ROWS = 200, 256
UPDATES = 4
"""Of the weights, from a batch of rollouts."""
COMPLETION_LIMIT = 24
"""Longest completion in tokens; an answer without thought has five to twelve."""
ROWS_A_PASS = 32
"""Completions that are in the GPU's memory with their activations at one time."""


def chat(name: str, failure: str, lr: float, *, rows: int = ROWS, **more: Any) -> Setting:
    """A constant rate after five records, as most people's runs have."""
    updates = more.pop("updates", UPDATES)
    passes = rows // ROWS_A_PASS
    on_a_gpu = {
        "use_cpu": False,
        "per_device_train_batch_size": ROWS_A_PASS,
        "gradient_accumulation_steps": passes // updates,
        "steps_per_generation": passes,
        "max_completion_length": COMPLETION_LIMIT,
    }
    return Setting(
        f"chat-{name}",
        failure,
        (0,),
        lr,
        task=CHAT,
        records=RECORDS,
        rows=rows,
        updates=updates,
        arguments=on_a_gpu | more.pop("arguments", {}),
        **more,
    )


CHATS = (
    chat("grpo", "", 2e-5),
    chat("grpo-fast", "", 5e-5),
    chat("grpo-faster", "learning_rate", 1.5e-4),
    chat("grpo-fastest", "learning_rate", 4e-4),
    chat("dapo", "", 4e-5, algorithm="dapo", arguments={"epsilon_high": 0.28}),
    chat("gspo", "", 5e-5, algorithm="gspo"),
    chat("kl", "", 5e-5, arguments={"beta": 0.02}),
    chat("cispo", "", 3e-5, algorithm="cispo", arguments=NO_UPPER_CLIP),
    chat(
        "tolerant-cispo",
        "tolerant_clip",
        1e-4,
        algorithm="cispo",
        updates=8,
        arguments=NO_UPPER_CLIP,
    ),
    chat("tolerant-sapo", "tolerant_clip", 1e-4, algorithm="sapo", updates=8),
    chat("stale", "staleness", 6e-5, iterations=4, arguments=NO_CLIP),
    chat("stale-faster", "staleness", 1.5e-4, iterations=3, arguments=NO_CLIP),
    chat("entropy-target", "entropy_explosion", 5e-5, arguments=entropy_at(3.0, delta=0.0006)),
    chat("pays-for-words", "length", 5e-5, pay=(1.0, 0.1, 3.0, None), hidden=True),
)
