"""Reads what the watched process itself reports through `collapse_lab.init`: its inbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from collapse_lab.records import Record
from collapse_lab.store import INBOX
from collapse_lab.tail import Tail


class InboxReader:
    """`learn` is told what the process says of itself in its first line: config, planned steps;
    `complain` that the inbox cannot be read now.

    What an earlier watcher left unread is `leftover`; `active` turns true with the first line
    after that: the process has an in-process end.
    """

    def __init__(
        self,
        folder: Path,
        stored: Iterable[Record],
        learn: Callable[..., None],
        complain: Callable[[str], None],
    ) -> None:
        self.active = False
        self._tail = Tail(folder / INBOX)
        self._learn, self._complain = learn, complain
        known = {_content(record) for record in stored}
        self.leftover = [record for record in self.new() if _content(record) not in known]
        self.active = False

    def new(self) -> list[Record]:
        """Records that have arrived since the last call."""
        records: list[Record] = []
        try:
            while lines := self._tail.lines():
                self.active = True
                records += [record for line in lines if (record := self._read(line))]
        except OSError as error:  # the next call reads on
            self._complain(f"cannot read what the process reports: {error}")
        return records

    def _read(self, line: str) -> Record | None:
        try:
            raw: Any = json.loads(line)
            if "meta" in raw:
                facts: dict[str, Any] = raw["meta"]
                self._learn(**{name: fact for name, fact in facts.items() if fact is not None})
                return None
            return Record.from_json(line)
        except (ValueError, TypeError):  # half a line of a process that was killed
            return None


def _content(record: Record) -> str:
    """Without the notes, to which a watcher adds where the process was started anew."""
    return replace(record, notes={}).to_json()
