"""Drives monitors of any training, not only of RL; the second half of `peer_worker.py`.

They see the loss, the gradient norm, the learning rate and the time of a step, which is what they
know. Two of them import torch for their hooks; the file that judges numbers is loaded without.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

Points = list[tuple[int, dict[str, float]]]
Finding = tuple[int, str, str]

LOOK_EVERY = 25
"""Records between two runs of a linter that somebody has put into cron."""


def trainpulse(points: Points, scale: float) -> list[Finding]:
    """`Monitor().log` of every number at every record."""
    from trainpulse import Monitor, MonitorConfig

    config = MonitorConfig(
        loss_spike_threshold=5.0 * scale,
        grad_norm_threshold=100.0 * scale,
        grad_vanish_threshold=1e-7 / scale,
        lr_change_threshold=10.0 * max(1.0, scale),
        step_time_spike_threshold=3.0 * scale,
        plateau_patience=math.ceil(100 * scale),
    )
    monitor = Monitor(config)
    return [
        (point, alert.severity.name.lower(), alert.detector)
        for point, (step, values) in enumerate(points)
        for name, value in values.items()
        for alert in monitor.log(name, step, value)
    ]


def losslint(points: Points, scale: float) -> list[Finding]:
    """What `losslint watch` does when it polls after every record: all checks of the log so far.

    A finding counts once for each check, and again if it gets more severe; `watch` would repeat it
    whenever its numbers change.
    """
    from losslint.checks import CheckOptions, run_all_checks
    from losslint.parsing import RunLog

    options = CheckOptions(spike_factor=10.0 * scale, divergence_ratio=1 + 0.25 * scale)
    names = dict.fromkeys(name for _, values in points for name in values)
    severities: dict[str, str] = {"error": "critical"}

    def look(end: int) -> list[tuple[str, str]]:
        some = points[:end]
        log = RunLog(
            steps=[step for step, _ in some],
            series={name: [values.get(name) for _, values in some] for name in names},
            source=Path("run.jsonl"),
        )
        found = run_all_checks(log, options)
        return [(severities.get(str(one.severity), str(one.severity)), one.check) for one in found]

    return _news(len(points), 1, look)


def runmedic(points: Points, scale: float) -> list[Finding]:
    """Its checks of the log so far, every 25 records. The thresholds are literals in its code, so
    that only its defaults can be run."""
    from runmedic.checks import run_checks
    from runmedic.model import Run
    from runmedic.roles import detect

    assert scale == 1, "runmedic has no thresholds to set"
    run = Run(name="run", source="jsonl", path="run.jsonl")
    added = 0

    def look(end: int) -> list[tuple[str, str]]:
        nonlocal added
        for step, values in points[added:end]:
            for name, value in values.items():
                run.get(name).add(step, value)
        added = end
        return [(found.severity, found.check) for found in run_checks(run, detect(run))]

    return _news(len(points), LOOK_EVERY, look)


def stabilityguard(points: Points, scale: float) -> list[Finding]:
    """`SpikeDetector` on the gradient norms, of the whole and of groups of layers where logged."""
    detector = _without_torch("stabilityguard.core.spike_detector").SpikeDetector(10.0 * scale)
    findings: list[Finding] = []
    for point, (_, values) in enumerate(points):
        broken = {name for name, value in values.items() if not math.isfinite(value)}
        if detector.check(values, broken)[0]:
            findings.append((point, "critical", "gradient_spike"))
    return findings


def trainscope(points: Points, scale: float) -> list[Finding]:
    """`ChangePointDetector`, its CUSUM of the loss."""
    module = _without_torch("trainscope.core.detectors.changepoint")
    detector = module.ChangePointDetector(threshold=6.0 * scale)
    return [
        (point, "warning", "changepoint")
        for point, (_, values) in enumerate(points)
        if math.isfinite(values.get("loss", math.nan))
        and detector.update(values["loss"]) is not None
    ]


PEERS: dict[str, Callable[[Points, float], list[Finding]]] = {
    "trainpulse": trainpulse,
    "losslint": losslint,
    "runmedic": runmedic,
    "stabilityguard": stabilityguard,
    "trainscope": trainscope,
}


def _news(records: int, every: int, look: Callable[[int], list[tuple[str, str]]]) -> list[Finding]:
    """Findings (severity, check) of repeated looks at a growing log, each told once."""
    findings: list[Finding] = []
    told: set[tuple[str, str]] = set()
    for end in range(every, records + 1, every):
        for severity, check in look(end):
            if (severity, check) not in told:
                told.add((severity, check))
                findings.append((end - 1, severity, check))
    return findings


@cache
def _without_torch(name: str) -> Any:
    """A module of a package whose own `__init__` files, which import torch, are not run."""
    package, *folders, _ = name.split(".")
    spec = find_spec(package)
    assert spec and spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0])
    _stand_in(package, path)
    for folder in folders:
        package, path = f"{package}.{folder}", path / folder
        _stand_in(package, path)
    return import_module(name)


def _stand_in(package: str, path: Path) -> None:
    module = ModuleType(package)
    module.__path__ = [str(path)]
    sys.modules[package] = module
