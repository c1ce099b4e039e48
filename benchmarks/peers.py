"""Other people's detectors on our records, at their defaults or with their thresholds moved.

They run in a virtual environment of their own (`COLLAPSE_LAB_PEERS`, made by
`python -m benchmarks.peers --install`) and are spoken to in JSON lines; the simple rules that every
detector has to beat are in `benchmarks/simple_rules.py` and run here.

What each peer is given is what a user of its own would give it: our canonical signals under the
key names it documents, in `KEYS`. Choices made in a peer's favour:

- `kl/ref` is what they call KL; a run without a reference model gives them `kl/old`, as the
  approximate KL of classic PPO loops would.
- Where the total loss is not logged, the policy loss takes its place.
- Signed or differential entropies are left out: their absolute floors would always fire.
- Those in `QUADRATIC` re-read the whole history at every look (seconds a look beyond 2,000
  records), so a longer log is thinned evenly to `LONGEST` records for them.
- Findings below warning are dropped. `NOTICES` are findings about waste (zero-variance groups,
  plateaus, throughput) rather than collapse; tables also show the peers without them.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from collapse_lab.records import Record

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = Path(os.environ.get("COLLAPSE_LAB_PEERS", ROOT / ".venv-peers"))
REQUIREMENTS = (
    "rlwatch==0.5.1",
    "rldoctor==0.2.0",
    "rlprobe==0.1.0",
    "trainpulse==0.4.0",
    "losslint==0.4.1",
    "runmedic==0.1.1",
    "stabilityguard==0.3.0",
    "trainscope==1.8.1",
)
WITHOUT_TORCH = ("stabilityguard==0.3.0", "trainscope==1.8.1")
"""Installed without what they require: what is run of them needs none of it."""

LONGEST = 2_000
"""Records given to a peer whose cost grows with the square of the run."""
QUADRATIC = ("rldoctor", "rlprobe", "losslint", "runmedic")
FIXED = ("runmedic",)
"""Peers without thresholds to move."""

TRAINING = {
    "loss": ("loss/total", "loss/pg"),
    "grad_norm": ("optim/grad_norm",),
    "learning_rate": ("optim/lr",),
    "step_time": ("time/step",),
}
"""What monitors of any training know."""

KEYS: dict[str, dict[str, tuple[str, ...]]] = {
    "rlwatch": {
        "entropy": ("policy/entropy",),
        "kl_divergence": ("kl/ref", "kl/old"),
        "reward_mean": ("reward/mean", "reward/success_rate"),
        "reward_std": ("reward/std", "reward/group_std"),
        "advantage_std": ("credit/advantage_std",),
        "loss": ("loss/total", "loss/pg"),
        "learning_rate": ("optim/lr",),
        "clip_fraction": ("ratio/clip_frac",),
        "grad_norm": ("optim/grad_norm",),
    },
    "rldoctor": {
        "reward_mean": ("reward/mean", "reward/success_rate"),
        "reward_std": ("reward/std", "reward/group_std"),
        "reward_max": ("reward/max",),
        "reward_min": ("reward/min",),
        "eval_score": ("eval/score", "eval/success_rate"),
        "zero_var_group_frac": ("reward/zero_std_frac",),
        "advantage_mean": ("credit/advantage_mean",),
        "advantage_std": ("credit/advantage_std",),
        "entropy": ("policy/entropy",),
        "kl": ("kl/ref", "kl/old"),
        "pg_clipfrac": ("ratio/clip_frac",),
        "pg_clipfrac_low": ("ratio/clip_frac_low",),
        "pg_clipfrac_high": ("ratio/clip_frac_high",),
        "grad_norm": ("optim/grad_norm",),
        "lr": ("optim/lr",),
        "policy_loss": ("loss/pg", "loss/total"),
        "response_len_mean": ("length/mean",),
        "response_len_max": ("length/max",),
        "response_len_clip_ratio": ("length/trunc_frac",),
        "prompt_len_mean": ("length/prompt_mean",),
        "value_explained_var": ("credit/value_explained_var",),
        "time_per_step": ("time/step",),
    },
    "rlprobe": {
        "reward_mean": ("reward/mean", "reward/success_rate"),
        "reward_std": ("reward/std", "reward/group_std"),
        "reward_min": ("reward/min",),
        "reward_max": ("reward/max",),
        "kl_mean": ("kl/ref", "kl/old"),
        "entropy_mean": ("policy/entropy",),
        "ratio_mean": ("ratio/mean",),
        "clip_fraction": ("ratio/clip_frac",),
        "adv_mean": ("credit/advantage_mean",),
        "adv_std": ("credit/advantage_std",),
        "group_reward_std_mean": ("reward/group_std",),
        "zero_variance_group_frac": ("reward/zero_std_frac",),
        "value_loss": ("credit/value_loss",),
        "value_explained_variance": ("credit/value_explained_var",),
        "value_clip_fraction": ("credit/value_clip_frac",),
        "loss": ("loss/total", "loss/pg"),
        "lr": ("optim/lr",),
        "grad_norm": ("optim/grad_norm",),
        "completion_len_mean": ("length/mean",),
        "completion_len_max": ("length/max",),
        "repetition_rate": ("policy/repetition_frac",),
        "truncation_rate": ("length/trunc_frac",),
        "step_time_s": ("time/step",),
    },
    "trainpulse": TRAINING,
    "losslint": TRAINING,
    "runmedic": TRAINING,
    "stabilityguard": {
        name: (f"optim/{name}",)
        for name in (
            "grad_norm",
            "grad_norm_input",
            "grad_norm_early",
            "grad_norm_middle",
            "grad_norm_late",
            "grad_norm_output",
        )
    },
    "trainscope": {"loss": TRAINING["loss"]},
}
"""What the peer calls it -> the canonical signals that may fill it, the first present wins."""

COMPONENTS = {"rldoctor": "rewards/{}/mean", "rlprobe": "component:{}"}
"""How a peer is handed the mean of one reward function (TRL's `rewards/<name>/mean`)."""

NOTICES = {
    "rlwatch": frozenset[str](),
    "rldoctor": frozenset({"advantage_collapse", "plateau"}),
    "rlprobe": frozenset({"DEGENERATE_GROUPS", "THROUGHPUT_ROT"}),
    "trainpulse": frozenset({"plateau", "step_time"}),
    "losslint": frozenset[str](),
    "runmedic": frozenset(
        {"no_learning", "input_bound", "slow_steps", "slowdown", "memory_growth"}
    ),
    "stabilityguard": frozenset[str](),
    "trainscope": frozenset[str](),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a peer said: after which record (its index), how loudly, under which name."""

    point: int
    severity: str
    name: str


def available() -> bool:
    """Whether the peers' environment is there."""
    return (ENVIRONMENT / "bin" / "python").exists()


class PeerProcess:
    """One interpreter of the peers' environment; a context manager."""

    def __init__(self) -> None:
        python = ENVIRONMENT / "bin" / "python"
        if not available():
            raise FileNotFoundError(
                f"{python} does not exist; `python -m benchmarks.peers --install` makes it"
            )
        worker = Path(__file__).with_name("peer_worker.py")
        self._process = subprocess.Popen(
            [python, worker],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )

    def __enter__(self) -> PeerProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=10)

    def run(self, peer: str, records: Sequence[Record], scale: float = 1.0) -> list[Finding]:
        """Findings of warning or above over one run, in order.

        The thresholds are `scale` times as far from harmless as the peer's defaults.
        """
        assert self._process.stdin and self._process.stdout
        stride = math.ceil(len(records) / LONGEST) if peer in QUADRATIC else 1
        kept = records[::stride]
        points = [[record.step, translate(peer, record.values)] for record in kept]
        job = {"peer": peer, "points": points, "scale": scale}
        print(json.dumps(job), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{peer} died; run {Path(__file__).with_name('peer_worker.py')}")
        return [
            Finding(point * stride, severity, name)
            for point, severity, name in json.loads(answer)
            if severity not in ("info", "notice")
        ]


def translate(peer: str, values: Mapping[str, float]) -> dict[str, float]:
    """A record's values under the names the peer documents; what it has no name for is left out."""
    given: dict[str, float] = {}
    for key, signals in KEYS[peer].items():
        present = next((signal for signal in signals if signal in values), None)
        if present is not None:
            given[key] = values[present]
    if peer in COMPONENTS:
        for name, value in values.items():
            component = name.removeprefix("rewards/").removesuffix("/mean")
            if name == f"rewards/{component}/mean":
                given[COMPONENTS[peer].format(component)] = value
    return given


def collapse_findings(peer: str, findings: Sequence[Finding]) -> list[Finding]:
    """Findings without the notices about waste."""
    return [finding for finding in findings if finding.name not in NOTICES[peer]]


def install() -> None:
    """Makes the peers' environment next to ours, with the versions the tables name."""
    subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
    pip = [ENVIRONMENT / "bin" / "python", "-m", "pip", "install", "--quiet"]
    whole = [requirement for requirement in REQUIREMENTS if requirement not in WITHOUT_TORCH]
    subprocess.run([*pip, *whole], check=True)
    subprocess.run([*pip, "--no-deps", *WITHOUT_TORCH], check=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Other people's detectors on our records.")
    parser.add_argument("--install", action="store_true", help="make the peers' environment")
    if parser.parse_args().install:
        install()
    else:
        parser.print_help()
