"""`collapse-lab watch`: records in, alarms out, while the run is still going on.

Two processes stand around a watched command. The *relay* is what the shell waits for: it starts
the command, copies its output, forwards signals and keeps its exit code, and it holds no numpy,
no detector and no network. The *observer* reads a copy of the output, stores, judges and alerts.
Either may be killed: the relay goes on without the observer, and the observer takes the relay's
place, so that the command never writes into a terminal or a pipe that has died.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from collapse_lab.records import NEW_RUN, Alarm, Record

QUIET_SECONDS = 5.0
"""A step is complete when the next one begins, or when nothing was said for this long."""


class Judge(Protocol):
    """What `collapse_lab.detectors.panel.Panel` is to us."""

    def update(self, record: Record) -> list[Alarm]: ...


def detect(
    records: Iterable[Record], make_panel: Callable[[], Judge]
) -> Iterator[tuple[Record, list[Alarm]]]:
    """Every record with the alarms that it raises: live and replay are this one generator.

    Every run has a panel, made at its first record: a place that is followed may hold several that
    go on at once.
    """
    panels: dict[str, Judge] = {}
    run = ""
    for record in records:
        run = record.notes.get(NEW_RUN, run)
        if run not in panels:
            panels[run] = make_panel()
        yield record, panels[run].update(record)
