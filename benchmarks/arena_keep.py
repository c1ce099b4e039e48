"""Keeps the records of finished arena runs in little room: what `data/arena` is made of.

    python -m benchmarks.arena_keep --root runs/arena --out data/arena

Numbers are kept in single precision; histograms, texts, weights, and what names the machine are
left out. Runs that are there already are written anew.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from collapse_lab.store import RUN, SEALED, find_runs, read_meta

OF_THE_MACHINE = ("command", "cwd", "host", "pid", "process_start")
OF_ITS_DAY = ("judged",)
"""Alarms are not kept, so that whoever looks at a run judges it by the detectors there are now."""
DOUBLE = "time"
"""Unix seconds need more digits than single precision has."""


def keep(folder: Path, out: Path) -> None:
    """Writes `out/NAME` from a sealed run folder."""
    meta = {
        key: value
        for key, value in read_meta(folder).items()
        if key not in (*OF_THE_MACHINE, *OF_ITS_DAY)
    }
    target = out / folder.name
    target.mkdir(parents=True, exist_ok=True)
    (target / RUN).write_text(json.dumps(meta, indent=1) + "\n")
    frame = pl.read_parquet(folder / SEALED)
    single = (pl.selectors.float() - pl.selectors.by_name(DOUBLE)).cast(pl.Float32)
    frame.with_columns(single).write_parquet(target / SEALED, compression_level=19)


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> None:
    parser = argparse.ArgumentParser(description="Keeps the records of finished arena runs.")
    parser.add_argument("--root", type=Path, default=Path("runs/arena"))
    parser.add_argument("--out", type=Path, default=Path("data/arena"))
    given = parser.parse_args(arguments)
    finished = [run for run in find_runs(given.root) if read_meta(run).get("state") == "finished"]
    for folder in finished:
        keep(folder, given.out)
    print(f"{len(finished)} runs in {given.out}")


if __name__ == "__main__":
    main()
