"""Stability diagnostics and collapse detection for RL post-training.

A training step leaves tensors behind. A probe reduces them to a few named numbers; the numbers
of one step are a record. Records are appended to a run, a folder with one line a step. A
detector reads records one at a time, in order, and says when the run has turned for the worse:
an alarm. An alert carries the alarm to a person or a command. `collapse-lab watch` is this
sentence happening live, `collapse-lab replay` is the same sentence on a finished run, and the
dashboard draws the same records. Nothing flows backwards.
"""

from collapse_lab.records import Alarm, Record
from collapse_lab.store import RunReader, RunWriter

__version__ = "0.1.0"
__all__ = ["Alarm", "Record", "RunReader", "RunWriter", "__version__"]
