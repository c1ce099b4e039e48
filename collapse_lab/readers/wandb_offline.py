"""W&B: `.wandb` files, the log that every run leaves on its own disk, online or not.

The file is a LevelDB log of protobuf records; wandb's own package has the messages, and the
framing below is the published LevelDB log format with wandb's file header.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from collapse_lab.readers.base import Row, UnreadableLog
from collapse_lab.readers.fields import FieldReader, LogCalls, flatten
from collapse_lab.readers.optional import tracker_module
from collapse_lab.readers.settings_text import from_json, unfolded

BLOCK = 32768
CHUNK_HEADER = struct.Struct("<IHB")  # CRC-32 of kind and body, length of the body, kind
FILE_HEADER = struct.Struct("<4sHB")
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
PATTERNS = ("*.wandb", "*/*.wandb", "*/*/*.wandb")
INTERNAL = ("_wandb", "_runtime")


class WandbOffline:
    """History and configuration of a `.wandb` file, or of every run below a wandb folder.

    Raises UnreadableLog when wandb is not installed.
    """

    name: ClassVar[str] = "wandb"
    framework: ClassVar[str | None] = None
    merges: ClassVar[bool] = True

    @classmethod
    def claims(cls, path: Path) -> float:
        if path.is_dir():
            return 0.7 if any(_files(path)) else 0.0
        return 1.0 if path.suffix == ".wandb" else 0.0

    def __init__(self, path: Path) -> None:
        self._path = path
        self._message: Any = tracker_module("wandb.proto.wandb_internal_pb2", path).Record
        self._names: dict[str, str] = {}
        """Runs by the stems of their files, of which a resumed run has several. One that is alone
        at first has no name, and keeps none."""
        self._logs: dict[Path, LevelLog] = {}
        self._fields: dict[Path, FieldReader] = {}
        self._calls: dict[Path, LogCalls] = {}
        self._configs: dict[str, dict[str, Any]] = {}

    def new(self) -> list[Row]:
        files = sorted(_files(self._path)) if self._path.is_dir() else [self._path]
        alone = not self._names and len({file.stem for file in files}) == 1
        for file in files:
            self._names.setdefault(file.stem, "" if alone else file.stem)
        return [row for file in files for row in self._rows(file, self._names[file.stem])]

    def close(self) -> list[Row]:
        return []

    def config(self, run: str) -> Mapping[str, Any]:
        return self._configs.get(run, {})

    def _rows(self, file: Path, run: str) -> Iterator[Row]:
        log = self._logs.setdefault(file, LevelLog(file))
        fields = self._fields.setdefault(file, FieldReader(("_step",)))
        calls = self._calls.setdefault(file, LogCalls())
        for record in map(self._message.FromString, log.new()):
            kind = record.WhichOneof("record_type")
            if kind == "history":
                row = fields.row(_history(record.history), run)
                if row.step is not None and row.values and (row := calls.row(row)).values:
                    yield row
            elif kind in ("run", "config"):
                changed = record.config if kind == "config" else record.run.config
                configure(self._configs.setdefault(run, {}), changed)


class LevelLog:
    """Records of a LevelDB log file that may still be growing; a torn one waits."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def new(self) -> Iterator[bytes]:
        """Records completed since the last call. Raises UnreadableLog for another kind of file."""
        with self._path.open("rb") as file:
            if self._offset == 0:
                self._read_file_header(file.read(FILE_HEADER.size))
            file.seek(self._offset)
            data, start = file.read(), self._offset
        position, parts = start, b""
        while True:
            rest = BLOCK - position % BLOCK
            if rest < CHUNK_HEADER.size:  # too short for a chunk: padding
                position += rest
                continue
            body_at = position - start + CHUNK_HEADER.size
            if body_at > len(data):
                return
            checksum, length, kind = CHUNK_HEADER.unpack_from(data, position - start)
            body = data[body_at : body_at + length]
            if len(body) < length or zlib.crc32(bytes([kind]) + body) != checksum:
                return
            position += CHUNK_HEADER.size + length
            parts = body if kind in (FULL, FIRST) else parts + body
            if kind in (FULL, LAST):
                self._offset = position
                yield parts

    def _read_file_header(self, header: bytes) -> None:
        if len(header) == FILE_HEADER.size:
            if not header.startswith(b":W&B"):
                raise UnreadableLog(f"{self._path} does not begin like a .wandb file")
            self._offset = FILE_HEADER.size


def _history(history: Any) -> dict[str, Any]:
    """Flat fields of one `log` call; the step is stated beside them or as `_step`."""
    fields: dict[str, Any] = {}
    if history.HasField("step"):
        fields["_step"] = history.step.num
    for item in history.item:
        key = "/".join(item.nested_key) or item.key
        value = json.loads(item.value_json)
        fields |= dict(flatten({key: value})) if key not in INTERNAL else {}
    return fields


def configure(config: dict[str, Any], changed: Any) -> None:
    """What one record changes of the configuration: settings that are stated, each as a JSON text,
    and settings that are gone. wandb's own part is left out."""
    for item in changed.update:
        name = ".".join(item.nested_key) or item.key
        if name and not name.startswith("_wandb"):
            stated = from_json(f"{{{json.dumps(name)}: {item.value_json}}}")
            config |= {name: unfolded(value) for name, value in stated.items()}
    for item in changed.remove:
        config.pop(".".join(item.nested_key) or item.key, None)


def _files(folder: Path) -> Iterator[Path]:
    """Each run once, though `latest-run` links to one of them."""
    return (
        file
        for pattern in PATTERNS
        for file in folder.glob(pattern)
        if not file.parent.is_symlink()
    )
