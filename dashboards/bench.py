"""The detectors run over a run again, with settings of a person's own: in this thread when it is
short, else in a process of its own; what was found is kept."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

from collapse_lab.dashboards.aside import KILLED, Aside
from collapse_lab.dashboards.root import meta_of
from collapse_lab.dashboards.settings import SHIPPED, Settings
from collapse_lab.detectors.limits import Limits
from collapse_lab.records import Alarm
from collapse_lab.store import records_of

AT_ONCE_RECORDS, MOST_RECORDS = 1500, 20_000
MOST_KEPT = 200


class Bench:
    """Alarms by run and settings. Threads may ask for the same at once."""

    def __init__(self) -> None:
        self._kept: OrderedDict[object, Future[list[Alarm]]] = OrderedDict()
        self._aside = Aside(niceness=10)
        self._lock = threading.Lock()

    def alarms(self, folder: Path, records: int, settings: Settings) -> list[Alarm] | None:
        """What is raised on the first MOST_RECORDS of a run of so many; None while it is being
        found out: ask again. Raises ChildProcessError once when the process that does is killed."""
        key = folder, min(records, MOST_RECORDS), settings
        limits = None if settings == SHIPPED else settings.calibration().to_limits()
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                found = self._kept[key] = self._begin(folder, records, limits)
                while len(self._kept) > MOST_KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
        if not found.done():
            return None
        try:
            return found.result()
        except BrokenProcessPool:
            with self._lock:
                self._kept.pop(key, None)
            raise ChildProcessError(KILLED) from None

    def _begin(self, folder: Path, records: int, limits: Limits | None) -> Future[list[Alarm]]:
        if records > AT_ONCE_RECORDS:
            return self._aside.submit(replay, folder, limits)
        found: Future[list[Alarm]] = Future()
        found.set_result(replay(folder, limits))
        return found


def replay(folder: Path, limits: Limits | None) -> list[Alarm]:
    """The alarms that the panel raises with these limits on the first MOST_RECORDS."""
    from collapse_lab.watch import detect
    from collapse_lab.watch.afterwards import panel_for

    panel = partial(panel_for, meta_of(folder), limits)
    records = itertools.islice(records_of(folder), MOST_RECORDS)
    judged = detect(records, panel)
    return [alarm for _, alarms in judged for alarm in alarms]
