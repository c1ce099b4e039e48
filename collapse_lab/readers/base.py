"""What a log format must provide, and what a reader yields.

A *line format* turns lines into rows; a row holds the numbers one place of a log states for one
step, under the log's own key names. `reader.py` does the rest for every format alike: following
the file, translating names, merging the rows of a step, noticing restarts.

To add a format: one file here with a class like those beside it, and one line in `__init__.py`;
names go into the framework's table in `aliases/`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

SURE = 0.9
"""A claim that ends the search: no other format looks like this."""
LIKELY = 0.5
"""A claim that is believed at once, until a stronger one comes."""


class UnreadableLog(ValueError):
    """The file fits no format; the message says what was tried and what a line looked like."""


@dataclass(frozen=True, slots=True)
class Row:
    """Numbers stated at one place of a log, under the log's own names.

    `step` is None when the place does not say (TRL's console): the reader then counts.
    `notes` explain values by key ("null: the writer cannot express NaN"), as in `Record`.
    `run` names the run when one file holds several.
    """

    step: int | None
    values: Mapping[str, float]
    time: float = math.nan
    notes: Mapping[str, str] = field(default_factory=dict[str, str])
    run: str = ""


class LineFormat(Protocol):
    """A text format. One instance reads one file, so it may keep state between lines.

    `framework` is fixed where the format belongs to one framework, else None and decided from
    the keys. `merges` says that several rows of one step are normal, so that the reader waits for
    the next step, or for a key stated anew, before it yields a record. `claims` scores how surely
    some lines (one line, or the head of a file) are of this format; the highest of all wins:
    `SURE` for the signature of one framework, `LIKELY` and above for a generic container with a
    step in it, below that for a guess that waits for more lines, 0 for no.
    """

    name: ClassVar[str]
    framework: ClassVar[str | None]
    merges: ClassVar[bool]

    @classmethod
    def claims(cls, head: list[str]) -> float: ...

    def feed(self, line: str) -> list[Row]:
        """Rows that this line completes; a line that is not of the format gives none."""
        ...

    def close(self) -> list[Row]:
        """Rows still open at the end of the file."""
        ...


class FileFormat(Protocol):
    """A format that is not lines: event folders, databases, one JSON document.

    `new` returns the rows that appeared since the last call and may be called for ever; `close`
    returns those that only the end of the file completes (a last line without its newline).
    """

    name: ClassVar[str]
    framework: ClassVar[str | None]
    merges: ClassVar[bool]

    @classmethod
    def claims(cls, path: Path) -> float: ...

    def __init__(self, path: Path) -> None: ...

    def new(self) -> list[Row]: ...

    def close(self) -> list[Row]: ...


@runtime_checkable
class Configured(Protocol):
    """What a format, of lines or not, has besides when its logs state how a run was set up."""

    def config(self, run: str) -> Mapping[str, Any]:
        """The configuration of a run as far as it has been read, by the log's own names, which may
        be nested or joined with dots; {} where the log states none. `run` is `Row.run`."""
        ...


ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
RAY_PREFIX = re.compile(r"^\s*\([\w:.-]+ pid=\d+(?:, ip=[\d.a-fA-F:]+)?\)\s?")
RAY_REPEAT = re.compile(r" \[repeated \d+x across cluster\].*")
_WRAPPED = re.compile(
    r"(?:np\.(?:float|int|uint|bool|longdouble)\w*|tensor)\(([^\s,()]+)(?:, [^()]*)?\)"
)


def clean(line: str) -> str:
    """The line without colours and without what Ray puts before and behind it."""
    if "\x1b" in line:
        line = ANSI.sub("", line)
    if "pid=" in line:
        line = RAY_PREFIX.sub("", line)
    if "[repeated " in line:
        line = RAY_REPEAT.sub("", line)
    return line.rstrip("\r\n")


def number(text: str) -> float | None:
    """The number a log prints, or None: floats, ints, nan, inf, True, False, `np.float64(...)`,
    `tensor(...)`.

    >>> number("1e-07"), number("np.float64(nan)"), number("True"), number("1_0"), number("x")
    (1e-07, nan, 1.0, None, None)
    >>> number("tensor(0.5, device='cuda:0')"), number("tensor([1., 2.])")
    (0.5, None)
    """
    if (
        "_" not in text
    ):  # Python's float accepts 1_000; no log prints it, and file names look like it
        try:
            return float(text)
        except ValueError:
            pass
    text = text.strip()
    if text in ("True", "False"):
        return float(text == "True")
    wrapped = _WRAPPED.fullmatch(text)
    return number(wrapped[1]) if wrapped else None
