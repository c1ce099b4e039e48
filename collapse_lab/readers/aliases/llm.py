"""LLM post-training frameworks: source key -> canonical signal, most trusted first."""

from __future__ import annotations

LLM: dict[str, dict[str, str]] = {
    "verl": {
        "critic/score/mean": "reward/mean",
        "actor/entropy": "policy/entropy",
        "actor/entropy_loss": "policy/entropy",
        "actor/grad_norm": "optim/grad_norm",
    },
    "trl": {
        "reward": "reward/mean",
        "grad_norm": "optim/grad_norm",
        "entropy": "policy/entropy",
    },
}
