"""Pages of which a part is written by a benchmark and the rest by hand.

A part NAME stands between the comments `<!-- NAME:begin -->` and `<!-- NAME:end -->`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


def write(pages: Sequence[Path], parts: Mapping[str, str]) -> None:
    """Puts every part into the page that has its marks; ends the program, with nothing written,
    where one has none."""
    for path, page in fill({path: path.read_text() for path in pages}, parts).items():
        path.write_text(page)


def fill(pages: Mapping[Path, str], parts: Mapping[str, str]) -> dict[Path, str]:
    """The pages with each part between its marks, which stand once in one of them."""
    filled = dict(pages)
    for name, text in parts.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        holding = [path for path, page in filled.items() if begin in page]
        around = re.split(f"{begin}.*?{end}", filled[holding[0]], flags=re.S) if holding else []
        if len(holding) != 1 or len(around) != 2:
            sys.exit(f"one of the pages must have {begin} ... {end}, and once")
        filled[holding[0]] = f"{begin}\n\n{text}\n\n{end}".join(around)
    return filled
