"""A run's histograms over its steps, in a bounded number of buckets.

They are in records.jsonl alone (Parquet has none), so a long run is read a little at a time: pages
say how far, and go on. Buckets add histograms up; nothing is dropped.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from collapse_lab.dashboards.columns import Floats
from collapse_lab.records import NEW_RUN, Record
from collapse_lab.signals import HISTOGRAMS
from collapse_lab.store import RECORDS
from collapse_lab.tail import Tail

MOST_HELD, MOST_SHOWN = 2048, 512
"""Buckets that a history holds, and that a picture shows: a zoom brings out finer ones."""


@dataclass(frozen=True, slots=True)
class Heat:
    """`share_TK`: of all values in bucket t, the share in bin k; `first_T` and `last_T` are the
    steps that a bucket spans."""

    share_TK: Floats
    first_T: Floats
    last_T: Floats


class History:
    """One histogram of a run. A bucket holds `stride` records, twice as many whenever there are
    more than `most` buckets."""

    def __init__(self, most: int = MOST_HELD) -> None:
        self.stride = 1
        self._most = most
        self._buckets: list[tuple[int, int, int, Floats]] = []  # first and last step, records, sum

    def add(self, step: int, counts: Floats) -> None:
        """Adds one record. A step that goes back is a restart: what was from there on is taken
        back, as far as it has a bucket of its own."""
        while self._buckets and self._buckets[-1][0] >= step:
            self._buckets.pop()
        if self._buckets and self._buckets[-1][2] < self.stride:
            first, _, records, total = self._buckets[-1]
            self._buckets[-1] = first, step, records + 1, total + counts
            return
        self._buckets.append((step, step, 1, counts))
        if len(self._buckets) > self._most:
            self.stride *= 2
            self._buckets = _paired(self._buckets)

    def heat(self, low: float = -np.inf, high: float = np.inf, most: int = MOST_SHOWN) -> Heat:
        """The buckets that overlap with the steps from low to high, paired until they are few."""
        shown = [bucket for bucket in self._buckets if bucket[1] >= low and bucket[0] <= high]
        while len(shown) > most:
            shown = _paired(shown)
        first, last, _, sums = zip(*shown, strict=True) if shown else ((), (), (), ())
        bins = len(self._buckets[0][3]) if self._buckets else 0
        counts = np.array(sums, float).reshape(len(shown), bins)
        whole = counts.sum(1, keepdims=True)
        share = np.divide(counts, whole, out=np.full_like(counts, np.nan), where=whole > 0)
        return Heat(share, np.array(first, float), np.array(last, float))


def _paired(buckets: list[tuple[int, int, int, Floats]]) -> list[tuple[int, int, int, Floats]]:
    pairs = [
        (one[0], other[1], one[2] + other[2], one[3] + other[3])
        for one, other in zip(buckets[::2], buckets[1::2], strict=False)
    ]
    return pairs + buckets[len(pairs) * 2 :]


class Histories:
    """All histograms of one run folder, as far as they have been read."""

    def __init__(self, folder: Path) -> None:
        self.by_name: dict[str, History] = {}
        self._path = folder / RECORDS
        self._tail = Tail(self._path)
        self._read = 0
        self._lock = threading.Lock()

    def refresh(self, seconds: float) -> float:
        """Reads on for about so long; the share of the file that has been read, 1 at its end."""
        until = time.monotonic() + seconds
        with self._lock:
            while lines := self._tail.lines():
                for line in lines:
                    self._read += len(line) + 1
                    try:
                        self._add(Record.from_json(line))
                    except ValueError:
                        continue
                if time.monotonic() > until:
                    size = os.path.getsize(self._path)
                    return min(self._read / size, 0.999) if size else 1.0
        return 1.0

    def _add(self, record: Record) -> None:
        if NEW_RUN in record.notes:
            self.by_name.clear()
        for name, counts in record.histograms.items():
            if name in HISTOGRAMS and len(counts) == len(HISTOGRAMS[name].edges) + 1:
                self.by_name.setdefault(name, History()).add(record.step, np.array(counts))
