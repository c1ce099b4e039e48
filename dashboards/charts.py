"""What the detectors see in a run, record by record: each signal's CUSUM and the run's e-value.

The panel goes over the records again, as `judging.judge` has it do, and a little at a time: pages
say how far it is, and with a run that grows it goes on.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from collapse_lab.dashboards.bench import MOST_RECORDS
from collapse_lab.dashboards.columns import Column
from collapse_lab.dashboards.growing import Growing
from collapse_lab.dashboards.judging import sealed_records
from collapse_lab.dashboards.root import meta_of
from collapse_lab.dashboards.settings import SHIPPED, Settings
from collapse_lab.detectors.cusum import LIMIT_ONE, CusumWatch
from collapse_lab.detectors.edetector import EDetector
from collapse_lab.detectors.panel import Panel
from collapse_lab.records import NEW_RUN, Record
from collapse_lab.store import RECORDS, RunReader

E_VALUE = "e-value of the run"
"""Stands among the names of signals for the chart that is the whole run's."""


class Charts:
    """The charts of one run under one person's settings, as far as it has been judged.

    `e_limit` and `cusum_limit` are where the e-value raises the alarm and where the CUSUM of one
    signal alone raises a notice.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.e_limit = 1 / settings.alpha
        self.cusum_limit = LIMIT_ONE * dict(settings.factors).get(CusumWatch.name, 1.0)
        self._limits = None if settings == SHIPPED else settings.calibration().to_limits()
        self._planned: int | None = meta_of(folder).get("planned_steps")
        self._reader = RunReader(folder)
        whole = (folder / RECORDS).exists()
        self._waiting = deque([] if whole else sealed_records(folder, MOST_RECORDS))
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._panel = Panel(planned_steps=self._planned, limits=self._limits)
        self._steps = Growing(np.int64)
        self._charts = {E_VALUE: Growing(np.float64)}

    @property
    def judged(self) -> int:
        """Records so far."""
        return len(self._steps)

    def refresh(self, seconds: float) -> bool:
        """Judges on for about so long; whether all that has been written is judged now, or the
        first MOST_RECORDS of it."""
        until = time.monotonic() + seconds
        with self._lock:
            while self.judged < MOST_RECORDS:
                if not self._waiting:
                    self._waiting.extend(next(self._reader.batches(), ()))
                if not self._waiting:
                    return True
                self._judge(self._waiting.popleft())
                if time.monotonic() > until:
                    return False
        return True

    def column(self, name: str, steps: NDArray[np.int64]) -> Column | None:
        """A chart over the rows of a run, which have these steps; of several records of a step the
        last one counts, as in the run's columns. None for a signal that is not judged."""
        with self._lock:
            chart = self._charts.get(name)
            if chart is None:
                return None
            values = np.full(len(steps), np.nan)
            judged = self._steps.array[: len(chart)]
            rows = np.searchsorted(steps, judged)
            known = (rows < len(steps)) & np.isfinite(chart.array)
            values[rows[known]] = chart.array[known]
        return Column(values, np.isfinite(values))

    def _judge(self, record: Record) -> None:
        if NEW_RUN in record.notes and self.judged:
            self._begin()
        self._panel.update(record)
        reached = self._panel.scores()[EDetector.name]
        self._steps.append(record.step)
        now = {E_VALUE: self.e_limit**reached, **self._panel.cusums()}
        for name, value in now.items():
            chart = self._charts.setdefault(name, Growing(np.float64))
            for _ in range(self.judged - 1 - len(chart)):
                chart.append(math.nan)
            chart.append(value)
