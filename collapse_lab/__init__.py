"""Stability diagnostics and collapse detection for RL post-training.

A training step leaves tensors behind. A probe reduces them to a few named numbers; the numbers
of one step are a record. Records are appended to a run, a folder with one line a step. A
detector reads records one at a time, in order, and says when the run has turned for the worse:
an alarm. An alert carries the alarm to a person or a command. `collapse-lab watch` is this
sentence happening live, `collapse-lab replay` is the same sentence on a finished run, and the
dashboard draws the same records. Nothing flows backwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from collapse_lab.records import Alarm, Record
from collapse_lab.store import RunReader, RunWriter

if TYPE_CHECKING:
    from collapse_lab.integrations.run import Run, init
    from collapse_lab.integrations.transformers import CollapseCallback
    from collapse_lab.integrations.verl import watch_verl

__version__ = "0.1.0"
__all__ = [
    "Alarm",
    "CollapseCallback",
    "Record",
    "Run",
    "RunReader",
    "RunWriter",
    "__version__",
    "init",
    "watch_verl",
]

_IN_PROCESS = {
    "CollapseCallback": "transformers",
    "Run": "run",
    "init": "run",
    "watch_verl": "verl",
}


def __getattr__(name: str) -> Any:
    """The in-process ends load when they are asked for: the import alone stays light."""
    if name not in _IN_PROCESS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"collapse_lab.integrations.{_IN_PROCESS[name]}"), name)
