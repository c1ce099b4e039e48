"""TRL and everything else on the transformers Trainer (unsloth, ms-swift): its console.

Each log is a dict, `{'loss': 0.01, 'reward': 0.4, ..., 'epoch': 0.03}`: floats until transformers
4, strings (`'0.01'`) from 5 on. The step is not in it: it is on the training progress bar,
`12/500 [`, redrawn with carriage returns on the same line or the ones before (`progress.py`).
Source: transformers `trainer_callback.py`, ProgressCallback and PrinterCallback.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import replace
from typing import ClassVar

from collapse_lab.readers.aliases.llm import LLM
from collapse_lab.readers.base import LIKELY, SURE, Row, clean
from collapse_lab.readers.literals import dicts, numbers
from collapse_lab.readers.progress import Steps

SUMMARY = "train_runtime"
_NESTED_BAR = re.compile(r"\r[^\r\n\x1b]*\r?\x1b\[A")
"""What is drawn below the training bar, an evaluation's bar or its wiping, goes back up."""
_STATED = {"global_step/max_steps", "global_step", "step"}  # the first is ms-swift's
_SIGNATURE = {"epoch", "global_step/max_steps"}
UNSIGNED = LIKELY + 0.1
"""A claim by a dict that states a step: what an environment prints of a rollout may look so."""
_TRAINING = {"loss", "grad_norm", "learning_rate", "reward"}
_KNOWN = {key for key in LLM["trl"] if "/" not in key and key != "epoch"} | {"objective/kl"}


class TrlConsole:
    """Training dicts become rows; an eval dict joins the row of the next training dict.

    Until steps come at a steady stride a row waits for the next dict: the bar that tells its step
    for certain is drawn behind it.
    """

    name: ClassVar[str] = "trl-console"
    framework: ClassVar[str | None] = "trl"
    merges: ClassVar[bool] = False

    def __init__(self) -> None:
        self._steps = Steps()
        self._waiting: Row | None = None
        self._eval: Row | None = None

    @classmethod
    def claims(cls, head: list[str]) -> float:
        logs = [items for line in head if "{'" in line for _, items in dicts(line) if is_log(items)]
        signed = any(not _SIGNATURE.isdisjoint(items) for items in logs)
        return SURE if signed else UNSIGNED * bool(logs)

    def feed(self, line: str) -> list[Row]:
        rows: list[Row] = []
        end = 0
        if "\x1b[A" in line:
            line = _NESTED_BAR.sub("", line)
        if "{'" in line:
            line = clean(line)
            for start, items in dicts(line):
                if is_log(items):
                    self._steps.see(line[end:start])
                    end = start
                    rows += self._release() + self._row(items)
        self._steps.see(line[end:])
        return rows

    def close(self) -> list[Row]:
        rows = self._release()
        held, self._eval = self._eval, None
        return [*rows, held] if held else rows

    def _release(self) -> list[Row]:
        waiting, self._waiting = self._waiting, None
        return [replace(waiting, step=self._steps.last)] if waiting else []

    def _row(self, items: dict[str, str]) -> list[Row]:
        if SUMMARY in items:
            return []
        values, notes = numbers(items)
        epoch = values.get("epoch", math.nan)
        stated = _stated(items)
        for key in _STATED:
            values.pop(key, None)
        if is_eval(items):
            step = self._steps.of_eval(epoch) if stated is None else stated
            self._eval = Row(step, values, notes=notes)
            return []
        row = self._with_eval(Row(self._steps.next(epoch, stated), values, notes=notes))
        if stated is None and not self._steps.is_steady:
            self._waiting = row
            return []
        return [row]

    def _with_eval(self, row: Row) -> Row:
        """The row with the numbers of the evaluation before it, and a note of when that was."""
        held, self._eval = self._eval, None
        if held is None:
            return row
        measured = dict.fromkeys(held.values, f"measured after step {held.step}")
        notes = {**measured, **held.notes, **row.notes}
        return replace(row, values={**held.values, **row.values}, notes=notes)


def is_log(items: dict[str, str]) -> bool:
    """Whether a dict is a log of the transformers Trainer: it says where, and has a known key."""
    if "epoch" not in items and not _STATED & items.keys():
        return False
    return SUMMARY in items or is_eval(items) or any(key in _KNOWN for key in items)


def is_eval(items: Collection[str]) -> bool:
    """Whether the keys of a log are those of an evaluation, and of no training step."""
    return _TRAINING.isdisjoint(items) and any(key.startswith("eval_") for key in items)


def _stated(items: dict[str, str]) -> int | None:
    """The step where the dict states it: 5 of `'global_step/max_steps': '5/3766'`."""
    for key in _STATED & items.keys():
        step, _, _ = items[key].partition("/")
        if step.isdecimal():
            return int(step)
    return None
