"""Drives the peers inside their own virtual environment; rlwatch, rldoctor and rlprobe are here.

Run by `benchmarks/peers.py`, never imported: the peers pin what they like and we must not have to
agree. One JSON line in, one out: `{"peer", "points": [[step, {key: number}], ...], "scale": 1}`
gives a list of `[point, severity, name]`, where `point` is the index of the record after which it
was raised. Every peer runs at the cadence of its own trainer callback, with its thresholds `scale`
times as far from harmless as its defaults: twice as many sigmas, half the floor. Beyond a scale of
1, checks without a threshold that can be moved are switched off, non-finite numbers excepted.
"""

# pyright: reportMissingImports=false
# The peers live in another environment than the one that is type-checked.

from __future__ import annotations

import json
import logging
import math
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from importlib import import_module

import peer_monitors

Points = list[tuple[int, dict[str, float]]]
Finding = tuple[int, str, str]

LOOK_EVERY = 25
"""Steps between the diagnoses of rlprobe's callback (`diagnose_every`)."""
MIN_RECORDS_BETWEEN_LOOKS = 5

RLDOCTOR_UP = {
    "advantage_collapse": ("_INFO", "_WARN", "_CRIT"),
    "clip_saturation": ("_CLIP_INFO", "_CLIP_WARN", "_CLIP_CRIT", "_ASYM_RATIO"),
    "grad_pathology": (
        "_SPIKE_SIGMA",
        "_SPIKE_RATIO",
        "_ZERO_STEP_INFO",
        "_ZERO_STEP_WARN",
        "_ZERO_STEP_CRIT",
    ),
    "kl_drift": ("_KL_HIGH", "_KL_EXTREME"),
    "length_hacking": ("_TRUNC_WARN", "_TRUNC_CRIT", "_GROWTH_WARN"),
    "reward_hacking": ("_GAP_WARN", "_GAP_CRIT"),
}
RLDOCTOR_DOWN = {"entropy_collapse": ("_FLOOR_FRAC",), "grad_pathology": ("_VANISH_RATIO",)}
"""Constants of rldoctor's modules, where larger or smaller is more tolerant. It has no option for
them; they are set all the same, because the comparison is of detectors and not of options."""
RLDOCTOR_FIXED = ("plateau", "reward_composition", "reward_hacking")
RLPROBE_FIXED = ("format_gaming", "ref_policy_drift_asymmetry")
"""What raises findings by something else than those constants."""


def rlwatch(points: Points, scale: float) -> list[Finding]:
    """`attach(framework="manual")` and `log_step` at every record.

    An alert counts when its alert manager would have sent it (cooldown and cap included). A
    detector that raises would have stopped the training loop, so nothing after it is counted.
    """
    import rlwatch as package

    findings: list[Finding] = []
    with tempfile.TemporaryDirectory() as folder:
        monitor = package.attach(
            framework="manual",
            run_id="run",
            storage={"log_dir": folder},
            entropy_collapse={"threshold": 1.0 / scale},
            kl_explosion={"sigma_multiplier": 3.0 * scale},
            reward_hacking={"variance_multiplier": 3.0 * scale},
            advantage_variance={"std_multiplier": 3.0 * scale},
            gradient_norm_spike={"sigma_multiplier": 3.0 * scale},
            reward_mean_drift={"min_drift_magnitude": 0.1 * scale},
        )
        for point, (step, values) in enumerate(points):
            for alert in monitor.log_step(step, **values):
                findings.append((point, alert.severity, alert.detector))
        monitor.stop()
    return findings


def rldoctor(points: Points, scale: float) -> list[Finding]:
    """`LiveMonitor()` as its TRL callback makes it: a look every 25 records from the 60th."""
    from rl_doctor.live import LiveMonitor

    _scale_rldoctor(scale)
    monitor = LiveMonitor(on_finding=lambda finding: None, skip=RLDOCTOR_FIXED if scale > 1 else ())
    findings: list[Finding] = []
    for point, (step, values) in enumerate(points):
        for finding in monitor.log(values, step=step):
            severity = finding.severity.name.lower()
            findings.append((point, severity, finding.detector))
    return findings


@cache
def _rldoctor_defaults() -> dict[tuple[str, str], float]:
    return {
        (name, constant): getattr(import_module(f"rl_doctor.detectors.{name}"), constant)
        for table in (RLDOCTOR_UP, RLDOCTOR_DOWN)
        for name, constants in table.items()
        for constant in constants
    }


def _scale_rldoctor(scale: float) -> None:
    for (name, constant), default in _rldoctor_defaults().items():
        down = constant in RLDOCTOR_DOWN.get(name, ())
        module = import_module(f"rl_doctor.detectors.{name}")
        setattr(module, constant, default / scale if down else default * scale)


def rlprobe(points: Points, scale: float) -> list[Finding]:
    """What its TRL callback does with `on_finding`: a full diagnosis every 25 steps.

    The recording is held in memory instead of Parquet parts; NaN is dropped as its key map drops
    it. Where steps count environment frames, a look comes every fifth record at most.
    """
    from rlprobe.doctor.engine import diagnose_view
    from rlprobe.doctor.runview import RunView
    from rlprobe.schemas import RunManifest, StepRecord

    manifest = RunManifest(run_id="run", created_at="2026-01-01T00:00:00", algorithm="grpo")
    config = _rlprobe_thresholds(scale)
    records: list[StepRecord] = []
    findings: list[Finding] = []
    seen: set[tuple[str, str]] = set()
    last_look = -MIN_RECORDS_BETWEEN_LOOKS
    for point, (step, values) in enumerate(points):
        known = {key: value for key, value in values.items() if not math.isnan(value)}
        components = {
            key.removeprefix("component:"): known.pop(key)
            for key in list(known)
            if key.startswith("component:")
        }
        records.append(StepRecord(step=step, reward_components=components, **known))
        previous = records[-2].step if point else step
        due = step // LOOK_EVERY != previous // LOOK_EVERY
        if not due or point - last_look < MIN_RECORDS_BETWEEN_LOOKS:
            continue
        last_look = point
        for found in diagnose_view(RunView(manifest, list(records)), config=config):
            key = (found.signature_id, found.severity)
            if key not in seen:
                seen.add(key)
                findings.append((point, found.severity, found.signature_id))
    return findings


def _rlprobe_thresholds(scale: float) -> dict[str, dict[str, float]]:
    """What its doctor.toml would hold."""
    thresholds = {
        "kl_blowup": {"ratio": 8.0 * scale, "abs_floor": 0.5 * scale},
        "entropy_collapse": {"collapse_below": 0.25 / scale, "healthy_early": 1.0 * scale},
        "reward_hack_length": {"len_growth": 1 + 0.4 * scale},
        "clip_saturation": {"threshold": 0.3 * scale},
        "degenerate_groups": {"threshold": 0.4 * scale},
        "adv_collapse": {"collapse_below": 0.1 / scale, "healthy_early": 0.5 * scale},
        "value_divergence": {"loss_ratio": 3.0 * scale},
        "grad_pathology": {"spike_ratio": 10.0 * scale},
        "truncation_starve": {"threshold": 0.5 * scale},
        "repetition_spiral": {"late_above": 0.3 * scale},
        "reward_std_death": {"death_below": 0.05 / scale, "early_ratio": 3.0 * scale},
        "throughput_rot": {"ratio": 1.4 * scale},
    }
    return thresholds | {name: {"enabled": float(scale <= 1)} for name in RLPROBE_FIXED}


PEERS: dict[str, Callable[[Points, float], list[Finding]]] = {
    "rlwatch": rlwatch,
    "rldoctor": rldoctor,
    "rlprobe": rlprobe,
    **peer_monitors.PEERS,
}


def main() -> None:
    logging.disable(logging.CRITICAL)
    out, sys.stdout = sys.stdout, sys.stderr  # some peers print their findings
    for line in sys.stdin:
        job = json.loads(line)
        print(json.dumps(PEERS[job["peer"]](job["points"], job["scale"])), file=out, flush=True)


if __name__ == "__main__":
    main()
