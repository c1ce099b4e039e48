"""Drives rlwatch, rldoctor and rlprobe inside their own virtual environment.

Run by `benchmarks/peers.py`, never imported: the peers pin what they like and we must not have to
agree. One JSON line in, one out: `{"peer", "points": [[step, {key: number}], ...]}` gives a list
of `[point, severity, name]`, where `point` is the index of the record after which it was raised.
Every peer runs at its defaults and at the cadence of its own trainer callback.
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

Points = list[tuple[int, dict[str, float]]]
Finding = tuple[int, str, str]

LOOK_EVERY = 25
"""Steps between the diagnoses of rlprobe's callback (`diagnose_every`)."""
MIN_RECORDS_BETWEEN_LOOKS = 5


def rlwatch(points: Points) -> list[Finding]:
    """`attach(framework="manual")` and `log_step` at every record.

    An alert counts when its alert manager would have sent it (cooldown and cap included). A
    detector that raises would have stopped the training loop, so nothing after it is counted.
    """
    import rlwatch as package

    findings: list[Finding] = []
    with tempfile.TemporaryDirectory() as folder:
        monitor = package.attach(framework="manual", run_id="run", storage={"log_dir": folder})
        for point, (step, values) in enumerate(points):
            for alert in monitor.log_step(step, **values):
                findings.append((point, alert.severity, alert.detector))
        monitor.stop()
    return findings


def rldoctor(points: Points) -> list[Finding]:
    """`LiveMonitor()` as its TRL callback makes it: a look every 25 records from the 60th."""
    from rl_doctor.live import LiveMonitor

    monitor = LiveMonitor(on_finding=lambda finding: None)
    findings: list[Finding] = []
    for point, (step, values) in enumerate(points):
        for finding in monitor.log(values, step=step):
            severity = finding.severity.name.lower()
            findings.append((point, severity, finding.detector))
    return findings


def rlprobe(points: Points) -> list[Finding]:
    """What its TRL callback does with `on_finding`: a full diagnosis every 25 steps.

    The recording is held in memory instead of Parquet parts; NaN is dropped as its key map drops
    it. Where steps count environment frames, a look comes every fifth record at most.
    """
    from rlprobe.doctor.engine import diagnose_view
    from rlprobe.doctor.runview import RunView
    from rlprobe.schemas import RunManifest, StepRecord

    manifest = RunManifest(run_id="run", created_at="2026-01-01T00:00:00", algorithm="grpo")
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
        for found in diagnose_view(RunView(manifest, list(records))):
            key = (found.signature_id, found.severity)
            if key not in seen:
                seen.add(key)
                findings.append((point, found.severity, found.signature_id))
    return findings


PEERS: dict[str, Callable[[Points], list[Finding]]] = {
    "rlwatch": rlwatch,
    "rldoctor": rldoctor,
    "rlprobe": rlprobe,
}


def main() -> None:
    logging.disable(logging.CRITICAL)
    out, sys.stdout = sys.stdout, sys.stderr  # some peers print their findings
    for line in sys.stdin:
        job = json.loads(line)
        print(json.dumps(PEERS[job["peer"]](job["points"])), file=out, flush=True)


if __name__ == "__main__":
    main()
