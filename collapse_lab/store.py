"""A run is a folder that anything can read: `run.json`, `records.jsonl`, `alarms.jsonl`.

One writer appends whole lines; what `append` returned from survives the writer's death. Readers
keep a byte offset and leave a torn last line for the next look. On finish the records are also
sealed as `records.parquet`, which readers of whole runs prefer. No locks and no database, so
that it works on network file systems.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from collapse_lab.frames import from_frame, read_frame, to_frame
from collapse_lab.liveness import start_of, writer_lives
from collapse_lab.records import Alarm, Record, encode
from collapse_lab.tail import Tail

if TYPE_CHECKING:
    import polars as pl

RUN, RECORDS, ALARMS, SAMPLES = "run.json", "records.jsonl", "alarms.jsonl", "samples.jsonl"
SEALED = "records.parquet"
INBOX, STOP = "inbox.jsonl", "STOP"
"""Under `watch`, the watched process appends its records to INBOX and reads a STOP file as an
order to end; its environment names the folder in RUN_VARIABLE, and under `--on-alarm stop` the
least severity that ends it in STOP_ON_VARIABLE."""
RUN_VARIABLE, STOP_ON_VARIABLE = "COLLAPSE_LAB_RUN", "COLLAPSE_LAB_STOP_ON"


class RunWriter:
    """Appends to one run folder, which is created, or continued when it exists: one of which only
    the Parquet was kept gets its lines back from it.

    `meta` goes verbatim into run.json (command, config, framework, planned steps, ...). A second
    writer on a folder whose writer lives is refused with FileExistsError.
    """

    def __init__(self, folder: Path | str, meta: Mapping[str, Any] | None = None) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        old = read_meta(self.folder)
        owner = old.get("pid")
        if old.get("state") == "running" and owner != os.getpid() and writer_lives(old):
            raise FileExistsError(
                f"{self.folder} is being written by process {owner}; choose another run name"
            )
        if (self.folder / SEALED).exists() and not (self.folder / RECORDS).exists():
            _unseal(self.folder)
        (self.folder / SEALED).unlink(missing_ok=True)
        (self.folder / STOP).unlink(missing_ok=True)  # it ended the last process
        self._meta: dict[str, Any] = old | dict(meta or {})
        self._meta.setdefault("started", time.time())
        self._meta |= {"state": "running", "host": os.uname().nodename}
        self._meta |= {"pid": os.getpid(), "process_start": start_of(os.getpid())}
        self._write_meta()
        self._files = {name: _Lines(self.folder / name) for name in (RECORDS, ALARMS)}

    def append(self, record: Record) -> None:
        """Adds one record; once this returns, the record survives the death of the process."""
        self._files[RECORDS].append(record.to_json())

    def alarm(self, alarm: Alarm) -> None:
        """Adds one alarm."""
        self._files[ALARMS].append(json.dumps(alarm.to_dict(), allow_nan=False))

    def sample(self, step: int, texts: list[Mapping[str, Any]]) -> None:
        """Keeps a few rollouts of one step as text, for the person who looks at an alarm."""
        if SAMPLES not in self._files:
            self._files[SAMPLES] = _Lines(self.folder / SAMPLES)
        self._files[SAMPLES].append(_json({"step": step, "samples": texts}))

    def update_meta(self, **fields: Any) -> None:
        """Changes fields of run.json, replaced in one step so that a reader sees old or new."""
        self._meta |= fields
        self._write_meta()

    def finish(self, state: str = "finished", exit_code: int | None = None) -> None:
        """Closes the run and seals its records as Parquet. `state`: finished, stopped, failed."""
        for lines in self._files.values():
            lines.close()
        self._files.clear()
        self.update_meta(state=state, exit_code=exit_code, finished=time.time())
        seal(self.folder)

    def _write_meta(self) -> None:
        partial = self.folder / f".{RUN}.{os.getpid()}"
        partial.write_text(_json(self._meta, indent=1))
        partial.replace(self.folder / RUN)


class Inbox:
    """The watched process's end of INBOX: `watch` reads it and is the folder's one writer.

    `meta` (config, planned steps, ...) is the first line, which holds no step; records follow.
    """

    def __init__(self, folder: Path | str, meta: Mapping[str, Any] | None = None) -> None:
        self._lines = _Lines(Path(folder) / INBOX)
        self._lines.append(_json({"meta": dict(meta or {})}))

    def append(self, record: Record) -> None:
        """Hands over one record; it survives the death of this process."""
        self._lines.append(record.to_json())

    def close(self) -> None:
        """No more records will come from here."""
        self._lines.close()


class RunReader:
    """Reads one run folder, live or finished."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.unreadable = 0
        """Complete lines that hold no record: what a killed writer left half-written."""
        self._tail = Tail(self.folder / RECORDS)

    @property
    def meta(self) -> dict[str, Any]:
        """run.json as it stands; {} while there is none."""
        return read_meta(self.folder)

    def new(self) -> list[Record]:
        """Records completed since the last call."""
        return [record for batch in self.batches() for record in batch]

    def batches(self) -> Iterator[list[Record]]:
        """Records completed since the last call, some megabytes of lines at a time: who stops
        early goes on from there."""
        while lines := self._tail.lines():
            yield list(self._records(lines))

    def _records(self, lines: list[str]) -> Iterator[Record]:
        for line in lines:
            try:
                yield Record.from_json(line)
            except ValueError:
                self.unreadable += bool(line.strip())

    def alarms(self) -> list[Alarm]:
        """All alarms so far; a torn last line is left out."""
        return list(_alarms(self.folder / ALARMS))

    def frame(self) -> pl.DataFrame:
        """Columns step, time, attempt, then one per signal; one row a step.

        A step that goes back starts the next attempt, and where attempts overlap the last one
        wins. NaN is a NaN that was logged, null is a value that was not. What happened to the run
        (notes that begin with EVENT) is JSON in a column events, where anything did.
        """
        sealed = self.folder / SEALED
        if sealed.exists():
            return read_frame(sealed)
        return to_frame(RunReader(self.folder).new())


def records_of(folder: Path) -> list[Record]:
    """The records of a run folder, from its Parquet where no lines are left."""
    reader = RunReader(folder)
    return reader.new() if (folder / RECORDS).exists() else from_frame(reader.frame())


def seal(folder: Path) -> None:
    """Writes `records.parquet`, complete or not at all."""
    partial = folder / f".{SEALED}.{os.getpid()}"
    to_frame(RunReader(folder).new()).write_parquet(partial)
    partial.replace(folder / SEALED)


def _unseal(folder: Path) -> None:
    """Writes `records.jsonl` of the Parquet, complete or not at all."""
    partial = folder / f".{RECORDS}.{os.getpid()}"
    partial.write_text("".join(record.to_json() + "\n" for record in records_of(folder)))
    partial.replace(folder / RECORDS)


def find_runs(root: Path | str) -> list[Path]:
    """Run folders under a root, the newest first."""
    folders = [path.parent for path in Path(root).glob(f"*/{RUN}")]
    return sorted(folders, key=lambda folder: (folder / RUN).stat().st_mtime, reverse=True)


def read_meta(folder: Path) -> dict[str, Any]:
    """run.json of a folder; {} when there is none. ValueError for one that a crash of the machine
    has left empty or torn: what it said is lost, the records are not."""
    try:
        meta: Any = json.loads((folder / RUN).read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ValueError(
            f"{folder / RUN} holds no JSON ({error}). The records beside it are untouched: write "
            "{} into it to go on without what it said"
        ) from error
    if not isinstance(meta, dict):
        raise ValueError(f"{folder / RUN} holds no JSON object")
    return cast(dict[str, Any], meta)


def provenance() -> dict[str, Any]:
    """Where a run comes from: the working directory, the git commit there (None without one) and
    the version of Python."""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5
        )
        commit = answer.stdout.strip() or None
    except (OSError, subprocess.TimeoutExpired):
        commit = None
    return {"cwd": os.getcwd(), "git_commit": commit, "python": platform.python_version()}


def _json(value: Any, indent: int | None = None) -> str:
    """JSON that any reader takes, whatever stands in a configuration."""
    return json.dumps(encode(value), indent=indent, allow_nan=False, default=str)


class _Lines:
    """Appends whole lines to one file. A line that a killed writer or a full disk cut short is
    ended before the next one, so that it costs no line but itself."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        size = os.fstat(self._descriptor).st_size
        self._torn = size > 0 and os.pread(self._descriptor, 1, size - 1) != b"\n"

    def append(self, line: str) -> None:
        """Once this returns the line survives the death of the process."""
        data = memoryview(b"\n" * self._torn + line.encode() + b"\n")
        while data:  # a full disk or a signal may take only part of it
            written = os.write(self._descriptor, data)
            data = data[written:]
            self._torn = bool(data)

    def close(self) -> None:
        os.close(self._descriptor)


def _alarms(path: Path) -> Iterator[Alarm]:
    tail = Tail(path)
    while lines := tail.lines():
        for line in lines:
            try:
                yield Alarm.from_dict(json.loads(line))
            except ValueError:
                continue
