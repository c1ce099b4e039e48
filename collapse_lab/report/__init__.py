"""A run as one file that a person attaches to an issue: what happened, the evidence, the set-up.

    case = open_case("runs/my-run")        # or any log that `collapse-lab replay` reads
    Path("report.html").write_text(to_html(case), encoding="utf-8")

`case` holds what is known, `words` says it, `page` and `markdown` write it down. Standard library
and SVG alone: the command line and the app call the same functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from collapse_lab.report.case import Case, open_case
from collapse_lab.report.markdown import to_markdown
from collapse_lab.report.page import to_html

Format = Literal["html", "markdown"]
FORMATS: dict[Format, Callable[[Case], str]] = {"html": to_html, "markdown": to_markdown}
SUFFIXES: dict[Format, str] = {"html": ".html", "markdown": ".md"}

MOST_NAME = 80


def file_stem(name: str) -> str:
    """A part of a file name out of any name.

    >>> file_stem("../<b>run 1.log")
    'b-run-1.log'
    """
    return re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.")[:MOST_NAME] or "run"


__all__ = [
    "FORMATS",
    "SUFFIXES",
    "Case",
    "Format",
    "file_stem",
    "open_case",
    "to_html",
    "to_markdown",
]
