"""TRL and transformers: a callback that records what the trainer logs, and may end it.

transformers calls a callback's events by name and asks for no base class, so this module needs no
import of transformers, and `import collapse_lab` stays light.
Source: transformers `trainer.py`, `trainer_callback.py`; TRL `trainer/grpo_trainer.py`.
"""

from __future__ import annotations

import logging
import math
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collapse_lab.integrations.run import Run, asked_to_stop_on, init_or_inert
from collapse_lab.records import CHECKPOINT, Severity, reaches

if TYPE_CHECKING:
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
else:
    TrainerCallback = object

logger = logging.getLogger("collapse_lab")

NULL_NOTE = "null in the log: every value behind it was NaN, or there was none"
FILTER_NOTE = "perhaps not the loss: logging_nan_inf_filter puts an average in the place of a NaN"


class CollapseCallback(TrainerCallback):
    """Hands every number that the trainer logs to a run.

    By default it only records, unless `watch --on-alarm stop` around all ranks asks for an end.
    With `save_on` an alarm of that severity or worse makes the trainer save a checkpoint; with
    `stop_on` it saves and then ends the training, and so does a STOP file in the run folder. Both
    act within the step that raised the alarm. When training is distributed rank 0 decides and the
    others follow, so add the callback on every rank, with the same `stop_on` and `save_on`.

    Without a `run` one begins with the training, in `root`, with the trainer's arguments as its
    config, and ends with it. Where none can be begun that is told, and the training goes on.
    """

    def __init__(
        self,
        run: Run | None = None,
        *,
        stop_on: Severity | None = None,
        save_on: Severity | None = None,
        root: Path | str = "runs",
        name: str | None = None,
    ) -> None:
        self.run = run
        self._owns_run = run is None
        self._stop_on: Severity | None = stop_on
        self._save_on: Severity | None = save_on
        self._root, self._name = root, name
        self._alarms_seen = 0
        self._stopped = False
        self._saved: dict[str, str] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if not _spans_nodes():  # other nodes may have no `watch` around them and would not follow
            self._stop_on = self._stop_on or asked_to_stop_on()
        if self._owns_run:
            self._alarms_seen, self._stopped, self._saved = 0, False, {}
            self.run = init_or_inert(
                name=self._name or args.run_name or Path(args.output_dir or "trainer").name,
                config=args.to_dict(),
                root=self._root,
                planned_steps=state.max_steps,
                framework="trl",
            )
        if self.run and self._acts:
            self.run.judge_here()
        if state.logging_steps != 1 and state.is_world_process_zero:
            logger.warning(
                "collapse-lab: logging_steps=%s: the trainer logs averages over that many steps "
                "and leaves NaN out of them; with logging_steps=1 every step is seen as it was",
                state.logging_steps,
            )

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if self.run is None or not logs or "train_runtime" in logs:  # the summary of the whole run
            return
        values, notes = _numbers(logs, args.logging_nan_inf_filter)
        self.run.log(values, state.global_step, notes=notes | self._saved)
        self._saved = {}
        if self._acts:
            self._act(self.run, args, control)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        # the step has been logged: told with the next record, since one of its own would be a step
        # without numbers
        self._saved = {CHECKPOINT: f"checkpoint-{state.global_step}"}

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.run and self._owns_run:
            self.run.finish("stopped" if self._stopped else "finished")

    def __getattr__(self, name: str) -> Callable[..., None]:
        """The trainer's other events mean nothing here."""
        if name.startswith("on_"):
            return _nothing
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def _acts(self) -> bool:
        return bool(self._stop_on or self._save_on)

    def _act(self, run: Run, args: TrainingArguments, control: TrainerControl) -> None:
        """Lets the trainer save and stop; the same on every rank, or they would wait for ever."""
        run.flush()
        alarms = run.alarms[self._alarms_seen :]
        self._alarms_seen += len(alarms)
        save = any(reaches(alarm.severity, self._save_on) for alarm in alarms)
        stop = self._stop_on is not None and (
            any(reaches(alarm.severity, self._stop_on) for alarm in alarms) or run.should_stop()
        )
        save, stop = _as_rank_zero_says(args.device, save or stop, stop)
        control.should_save |= save
        control.should_training_stop |= stop
        self._stopped |= stop


def _numbers(
    logs: Mapping[str, Any], loss_is_filtered: bool
) -> tuple[dict[str, Any], dict[str, str]]:
    """What the console shows of a log (it leaves total_flos out), and notes on what it hides."""
    values = {key: value for key, value in logs.items() if key != "total_flos"}
    notes = {key: NULL_NOTE for key, value in values.items() if value is None}
    values |= dict.fromkeys(notes, math.nan)
    gradient = values.get("grad_norm", 0.0)
    if loss_is_filtered and "loss" in values and not math.isfinite(gradient):
        notes["loss"] = FILTER_NOTE
    return values, notes


def _distributed() -> Any:
    """torch.distributed where several ranks train together, else None."""
    distributed = sys.modules.get("torch.distributed")
    alone = not (distributed and distributed.is_available() and distributed.is_initialized())
    return None if alone else distributed


def _spans_nodes() -> bool:
    """Whether ranks may run elsewhere than in this environment: the launcher counts fewer here."""
    distributed = _distributed()
    here = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    return distributed is not None and distributed.get_world_size() > here


def _as_rank_zero_says(device: Any, *decisions: bool) -> list[bool]:
    distributed = _distributed()
    if distributed is None:
        return list(decisions)
    import torch

    said = torch.tensor(decisions, dtype=torch.int32, device=device)
    distributed.broadcast(said, src=0)
    return [bool(decision) for decision in said]


def _nothing(*args: Any, **kwargs: Any) -> None:
    return None
