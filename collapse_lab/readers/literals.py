"""Python dicts as programs print them: `{'loss': 0.1, 'kl': nan, 'lr': '1e-06', 'x': None}`.

Neither JSON nor, with a bare `nan`, a Python literal. Only a dict that closes is read: a line
that was cut, or into which another process wrote, states no numbers rather than wrong ones.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from collapse_lab.readers.base import number

NULL = "None in the log: the writer had no value, or only NaNs to average"

_KEY = r"'((?:[^'\\\x00-\x1f]|\\.)*)': "
_TEXT = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_CALL = r"[\w.]+\((?:[^()'\"]|'[^']*')*\)"  # np.float64(0.1), tensor(0.1, device='cuda:0')
_ATOM = r"[^\s'\",:{}()\[\]]+"
_PAIR = re.compile(rf"{_KEY}({_ATOM}|{_TEXT}|{_CALL})(, |\}})")
_NESTED = re.compile(rf"{_KEY}(?=[\[({{])")


def dicts(line: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Position and items of every flat dict in a line; values as text, strings unquoted.

    An item that is itself a list, tuple or dict is left out.
    """
    end = 0
    while (start := line.find("{'", end)) >= 0:
        end = start + 1
        items: dict[str, str] = {}
        while True:
            if pair := _PAIR.match(line, end):
                items[pair[1]] = pair[2][1:-1] if pair[2][0] in "'\"" else pair[2]
                end = pair.end()
                if pair[3] == "}":
                    yield start, items
                    break
            elif nested := _NESTED.match(line, end):
                end = _after(line, nested.end())
                if line[end : end + 1] == "}":
                    yield start, items
                    break
                if line[end : end + 2] != ", ":
                    break
                end += 2
            else:
                break


def numbers(items: dict[str, str]) -> tuple[dict[str, float], dict[str, str]]:
    """The items that are numbers, None as NaN, and a note for each None.

    >>> numbers({"loss": "0.1", "kl": "None", "algo": "grpo"})[0]
    {'loss': 0.1, 'kl': nan}
    """
    values: dict[str, float] = {}
    notes: dict[str, str] = {}
    for key, text in items.items():
        if text == "None":
            values[key], notes[key] = math.nan, NULL
        elif (value := number(text)) is not None:
            values[key] = value
    return values, notes


def _after(line: str, start: int) -> int:
    """Index behind the bracket that closes the one at `start`; the line's end when none does."""
    depth, quote, index = 0, "", start
    while index < len(line):
        char = line[index]
        if quote:
            if char == "\\":
                index += 1
            elif char == quote:
                quote = ""
        elif char in "'\"":
            quote = char
        elif char in "[({":
            depth += 1
        elif char in "])}":
            depth -= 1
            if depth == 0:
                return index + 1
        index += 1
    return len(line)
