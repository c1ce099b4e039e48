"""The one way from a run's name to its folder: nothing outside the root is ever read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from collapse_lab.store import ALARMS, RECORDS, RUN, SAMPLES, SEALED, read_meta

READ = (RUN, RECORDS, SEALED, ALARMS, SAMPLES)


class UnknownRun(LookupError):
    """No run of this name lies in the root (or it did and is gone)."""


class UnreadableRun(UnknownRun):
    """A run of this name is there, and its records cannot be read."""


class Root:
    """A folder of run folders."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).resolve()

    def run(self, name: str) -> Path:
        """The folder of a run. Raises UnknownRun for a name that is none, and for a folder or
        file in it that leads out of the root by a link."""
        if not name or name in (".", "..") or "/" in name or os.sep in name or "\0" in name:
            raise UnknownRun(name)
        folder = self.folder / name
        try:
            inside = folder.resolve().is_relative_to(self.folder) and (folder / RUN).is_file()
            links = [path for path in (folder / file for file in READ) if path.is_symlink()]
        except OSError:
            raise UnknownRun(name) from None
        if not inside or any(not path.resolve().is_relative_to(self.folder) for path in links):
            raise UnknownRun(name)
        return folder

    def names(self) -> Iterator[str]:
        """Names of what may be a run; `run` says whether it is."""
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    if not entry.name.startswith(".") and entry.is_dir():
                        yield entry.name
        except FileNotFoundError:
            return


def meta_of(folder: Path) -> dict[str, Any]:
    """run.json; {} where it holds something else or cannot be read."""
    try:
        meta: Any = read_meta(folder)
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", meta) if isinstance(meta, dict) else {}
