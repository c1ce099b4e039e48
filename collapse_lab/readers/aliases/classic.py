"""Classic RL libraries and home-grown loops: source key -> canonical signal."""

from __future__ import annotations

CLASSIC: dict[str, dict[str, str]] = {
    "sb3": {"rollout/ep_rew_mean": "reward/mean", "train/entropy_loss": "policy/entropy_loss"},
}
