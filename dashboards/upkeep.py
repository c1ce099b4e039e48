"""The thread that keeps the index of runs up to date while pages are looked at."""

from __future__ import annotations

import logging
import threading
import time

from collapse_lab.dashboards.index import Index

LIVE_SECONDS, SCAN_SHARE = 1.0, 0.05
"""How often running runs are looked at, and the share of time spent looking for others."""


def keep(index: Index, stop: threading.Event) -> None:
    """The life of the thread."""
    next_scan = 0.0
    while not stop.is_set():
        began = time.monotonic()
        if began >= next_scan:
            try:
                index.scan()
            except OSError as error:  # the root cannot be listed at the moment
                logging.getLogger(__name__).warning("%s", error)
            next_scan = began + max(LIVE_SECONDS, (time.monotonic() - began) / SCAN_SHARE)
        else:
            index.look_at_live()
        index.refresh()
        index.save()
        if not index.judge_next():
            stop.wait(LIVE_SECONDS)
