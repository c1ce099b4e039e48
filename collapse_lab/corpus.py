"""A corpus: finished runs with what became of them and where they come from.

Any mixture of run folders and logs that `replay` reads, below the folders that are named. What a
run is like (task, algorithm, ...) is what its `run.json` says; a log of somebody else's says its
framework at most, and is then grouped by the folder it lies in.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast, get_args

from collapse_lab.labels import COLLAPSED, Kind, Label, label_run
from collapse_lab.readers.base import FileFormat, LineFormat, UnreadableLog
from collapse_lab.readers.reader import read, sniff
from collapse_lab.records import Record, runs_of
from collapse_lab.store import RUN, read_meta

UNKNOWN = "unknown"
FACTS = ("framework", "task", "algorithm", "failure", "setting")
"""What runs can be told apart by: `failure` is what was set up to go wrong, else the label;
`setting` how that was done."""


@dataclass(frozen=True, slots=True)
class CorpusRun:
    """`facts` hold every one of `FACTS`; runs of one `group` share task, algorithm and framework,
    or the folder of their logs where none of those is known. `made` is when the run began, in unix
    seconds: by its first record, else by `run.json`; NaN where neither says. `config` is the
    run's configuration, as `run.json` or else the log states it."""

    name: str
    records: Sequence[Record]
    label: Label
    facts: Mapping[str, str]
    group: str
    planned_steps: int | None = None
    made: float = math.nan
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What lies in the corpus and is no run of it, and why."""

    name: str
    reason: str


def read_corpus(roots: Sequence[Path]) -> Iterator[CorpusRun | LeftOut]:
    """Every run below the roots once, one log at a time, in the order of their names."""
    read: set[Path] = set()
    for root in roots:
        for path in _logs(root):
            if path.resolve() in read:
                continue
            read.add(path.resolve())
            name = str(path.relative_to(root)) if path != root else path.name
            folder = str(Path(root.name) / Path(name).parent) if path != root else path.parent.name
            yield from _read(path, name, folder)


def _logs(path: Path) -> Iterator[Path]:
    """A file, a folder that is a log or a run, or all of those below a folder."""
    if path.is_file() or _is_log(path):
        yield path
        return
    for child in sorted(path.iterdir()):
        if not child.name.startswith("."):
            yield from _logs(child)


def _is_log(folder: Path) -> bool:
    """Whether a folder is one log, and no collection: the innermost that its format claims, without
    logs of other formats in it."""
    if (folder / RUN).is_file():
        return True
    form = _format(folder)
    return form is not None and all(
        _format(child) is not form if child.is_dir() else _format(child) in (None, form)
        for child in folder.iterdir()
    )


def _format(path: Path) -> type[LineFormat] | type[FileFormat] | None:
    try:
        return sniff(path)
    except (OSError, UnreadableLog):
        return None


def _read(path: Path, name: str, folder: str) -> Iterator[CorpusRun | LeftOut]:
    try:
        meta = read_meta(path) if path.is_dir() else {}
        if meta.get("state") == "running":
            yield LeftOut(name, "not finished")
            return
        records, log = read(path)
        known_label = _stated_label(meta)
    except (OSError, ValueError, ImportError) as error:
        yield LeftOut(name, str(error).split(". ")[0].replace(str(path), "it"))
        return
    config = meta.get("config")
    stated = cast(dict[str, Any], config) if isinstance(config, dict) else {}
    for part, some in runs_of(records):
        label = known_label or label_run(some)
        facts = {
            "framework": str(meta.get("framework") or log.framework),
            "task": str(stated.get("task") or UNKNOWN),
            "algorithm": str(stated.get("algorithm") or UNKNOWN),
            "failure": str(meta.get("failure") or label.kind),
            "setting": str(meta.get("setting") or UNKNOWN),
        }
        known = UNKNOWN not in (facts["task"], facts["algorithm"])
        yield CorpusRun(
            f"{name} [{part}]" if part else name,
            some,
            label,
            facts,
            "/".join(facts[fact] for fact in FACTS[:3]) if known else folder,
            meta.get("planned_steps"),
            _made(meta, some),
            stated or log.config(part),
        )


def _made(meta: Mapping[str, Any], records: Sequence[Record]) -> float:
    times = (record.time for record in records if math.isfinite(record.time))
    return next(times, meta.get("started", math.nan))


def _stated_label(meta: Mapping[str, Any]) -> Label | None:
    """What run.json says became of the run, in the form of `collapse-lab label --json`. Raises
    ValueError for another."""
    if not meta.get("label"):
        return None
    match meta["label"]:
        case {"class": kind, "onset": int(onset), "cross": int(cross)} if kind in get_args(Kind):
            return Label(kind, onset, cross)
        case {"class": kind} if kind in get_args(Kind) and kind not in COLLAPSED:
            return Label(kind)
        case _:
            raise ValueError(
                "the label in its run.json is not of the form that `collapse-lab label --json` "
                'prints: {"class": "collapse", "onset": 120, "cross": 131}'
            )
