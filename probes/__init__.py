"""Probes: the tensors of a training step, reduced to a few named numbers."""

from __future__ import annotations

from collapse_lab.probes.attach import Observer, observe
from collapse_lab.probes.measure import PROBES, measure
from collapse_lab.probes.tensors import StepTensors

__all__ = ["PROBES", "Observer", "StepTensors", "measure", "observe"]
