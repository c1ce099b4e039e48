"""Jupyter notebooks: what their cells printed is a console log, read by the line formats."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

from collapse_lab.readers.base import Configured, LineFormat, Row

HEAD_LINES = 4000


class Notebook:
    """The stream outputs of all cells, in order, read anew whenever the notebook is saved."""

    name: ClassVar[str] = "notebook"
    framework: ClassVar[str | None] = None
    merges: ClassVar[bool] = True

    @classmethod
    def claims(cls, path: Path) -> float:
        if path.suffix != ".ipynb" or not path.is_file():
            return 0.0
        return 0.9 if cls(path).new() else 0.0

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = -1
        self._rows_read = 0
        self._config: Mapping[str, Any] = {}

    def new(self) -> list[Row]:
        saved = self._path.stat().st_mtime_ns
        if saved == self._seen:
            return []
        self._seen = saved
        lines = printed_lines(self._path)
        if lines is None:
            return []
        rows, self._config = read_lines(lines)
        rerun = len(rows) < self._rows_read
        fresh = rows if rerun else rows[self._rows_read :]
        self._rows_read = len(rows)
        return fresh

    def close(self) -> list[Row]:
        return []

    def config(self, run: str) -> Mapping[str, Any]:
        return self._config


def printed_lines(path: Path) -> list[str] | None:
    """Lines of all stream outputs; None for a notebook that is being saved."""
    try:
        cells = json.loads(path.read_bytes())["cells"]
        return [
            line
            for cell in cells
            for output in cell.get("outputs", [])
            if output.get("output_type") == "stream"
            for line in _text(output.get("text", "")).split("\n")
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def read_lines(lines: list[str]) -> tuple[list[Row], Mapping[str, Any]]:
    """Rows and configuration by the line format that claims the lines most surely; none when none
    does."""
    from collapse_lab.readers import LINE_FORMATS

    head = lines[:HEAD_LINES]
    claims: dict[type[LineFormat], float] = {
        form: form.claims(head) for form in LINE_FORMATS.values()
    }
    best = max(claims, key=lambda form: claims[form])
    if claims[best] <= 0:
        return [], {}
    form = best()
    rows = [row for line in lines for row in form.feed(line)] + form.close()
    return rows, form.config("") if isinstance(form, Configured) else {}


def _text(text: Any) -> str:
    """nbformat allows a string or a list of lines that keep their ends."""
    return text if isinstance(text, str) else "".join(cast(list[str], text))
