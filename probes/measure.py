"""All probes over one set of tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from collapse_lab.probes.credit import advantages, anchors, rewards
from collapse_lab.probes.entropy import entropy
from collapse_lab.probes.mismatch import mismatch
from collapse_lab.probes.parts import Parts
from collapse_lab.probes.ratios import gate, quadrants, ratios, reference, spread
from collapse_lab.probes.reduction import read, reduced
from collapse_lab.probes.tensors import StepTensors
from collapse_lab.probes.texts import lengths, repetition, validity

Probe = Callable[[StepTensors], Parts]
"""Pure: tensors -> parts; nothing where the tensors do not hold what it needs."""

PROBES: dict[str, Probe] = {
    "ratios": ratios,
    "spread": spread,
    "reference": reference,
    "quadrants": quadrants,
    "gate": gate,
    "entropy": entropy,
    "mismatch": mismatch,
    "advantages": advantages,
    "rewards": rewards,
    "anchors": anchors,
    "lengths": lengths,
    "repetition": repetition,
    "validity": validity,
}


def parts_of(tensors: StepTensors, probes: Mapping[str, Probe] = PROBES) -> Parts:
    """What all probes see, still to be added up with other micro-batches and ranks."""
    if tensors.empty:
        return {}
    return {name: part for probe in probes.values() for name, part in probe(tensors).items()}


def measure(tensors: StepTensors) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Values and histograms of these tensors, over all ranks where there are several.

    Collective: once torch.distributed is initialised, every rank has to call it.
    """
    return read(reduced(parts_of(tensors)))
