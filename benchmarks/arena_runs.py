"""Runs of the arena as a few series: what the tables, the curves and `mechanism` read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from collapse_lab.frames import from_frame
from collapse_lab.labels import COLLAPSED, Label, label_run
from collapse_lab.store import RunReader, find_runs, read_meta

Array = NDArray[np.float64]

SUCCESS, HELD_OUT, TURNS = "reward/success_rate", "eval/success_rate", "arena/turns_played"
WINDOW = 10
"""Steps over which success is averaged: a step samples only a few tasks."""


@dataclass(frozen=True, slots=True)
class ArenaRun:
    """A finished run, one number a step from step 0 on.

    `held_out` is NaN at steps without an evaluation; `turns` counts the environment steps so far,
    those of groups that a filter drops included.
    """

    task: str
    algorithm: str
    seed: int
    rate: float
    success: Array
    held_out: Array
    turns: Array
    label: Label

    @property
    def peak(self) -> float:
        return float(moving_mean(self.success).max())

    @property
    def end(self) -> float:
        return float(moving_mean(self.success)[-1])

    @property
    def held_out_end(self) -> float:
        """Of the last evaluation."""
        return float(self.held_out[~np.isnan(self.held_out)][-1])

    @property
    def spent(self) -> float:
        return float(self.turns[-1])

    @property
    def steps(self) -> int:
        return len(self.success)

    @property
    def cross(self) -> int | None:
        """The step at which half of the gain was gone; None where that did not happen."""
        happened = self.label.cross is not None and self.label.cross < self.steps
        return self.label.cross if happened and self.label.kind in COLLAPSED else None

    @property
    def collapsed(self) -> bool:
        return self.cross is not None

    def within(self, budget: float) -> ArenaRun:
        """As it stood when the next training step would have exceeded so many environment steps."""
        steps = int(np.searchsorted(self.turns, budget, side="right"))
        parts = {name: getattr(self, name)[:steps] for name in ("success", "held_out", "turns")}
        return replace(self, **parts)


def read_run(folder: Path) -> ArenaRun | None:
    """The run in a folder; None while it is not finished."""
    meta = read_meta(folder)
    if meta.get("state") != "finished":
        return None
    return run_of(RunReader(folder).frame(), meta["config"])


def read_runs(roots: Iterable[Path]) -> list[ArenaRun]:
    """All finished runs under the roots; one that lies under several of them counts once."""
    found = (read_run(folder) for root in roots for folder in find_runs(root))
    runs = {(r.task, r.algorithm, r.seed, r.rate): r for r in found if r is not None}
    return [run for _, run in sorted(runs.items())]


def run_of(frame: pl.DataFrame, config: dict[str, Any]) -> ArenaRun:
    """A run from its frame (see `RunReader.frame`) and its recipe."""

    def column(name: str) -> Array:
        return frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy()

    return ArenaRun(
        config["task"],
        config["algorithm"],
        config["seed"],
        config["lr"],
        column(SUCCESS),
        column(HELD_OUT),
        column(TURNS),
        label_run(from_frame(frame)),
    )


def moving_mean(values: Sequence[float] | Array) -> Array:
    """Means of `WINDOW` neighbours; of all there are where they are fewer."""
    width = min(WINDOW, len(values))
    return np.convolve(values, np.ones(width) / width, "valid")
