"""`run = collapse_lab.init(...)`, `run.log({...})`, `run.finish()`: the logger for any loop.

Alone, the process writes its own run folder and judges its own records. Inside
`collapse-lab watch` (its environment names the folder) it only hands the records to `watch`, and
judges them besides when it was asked to act on an alarm itself.

A trainer forks, pickles, is preempted and crashes. In a forked or unpickled copy a run is inert:
one process writes. `lifetime.py` sees to what is left when the process ends.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from collapse_lab.integrations import lifetime
from collapse_lab.integrations.background import Complaints
from collapse_lab.integrations.recorder import Judging, Recorder
from collapse_lab.integrations.scalars import scalars
from collapse_lab.readers.base import Row
from collapse_lab.records import SEVERITIES, Alarm, Record, Severity
from collapse_lab.store import (
    RUN,
    RUN_VARIABLE,
    STOP,
    STOP_ON_VARIABLE,
    Inbox,
    RunReader,
    RunWriter,
    provenance,
    read_meta,
)

PATIENCE_SECONDS = 5.0
"""The longest that flush and finish wait for a slow disk before they let the training go on."""


def init(
    project: str | None = None,
    name: str | None = None,
    config: Mapping[str, Any] | None = None,
    *,
    root: Path | str = "runs",
    id: str | None = None,
    resume: bool = False,
    planned_steps: int | None = None,
    framework: str | None = None,
    on_alarm: Callable[[Alarm], object] | None = None,
    stop_on: Severity | None = None,
) -> Run:
    """Begins a run, the folder `root/id`; under `collapse-lab watch` the folder is watch's own.

    `id` is made of name or project and the time unless given; with `resume` an existing run of
    that id is continued, and what is not given stays as it was. `planned_steps`, where known, makes
    the detectors a little faster, and `config` tells what an alarm may name as its cause.
    `framework` names the table of metric names, guessed from the keys when None. `on_alarm` is
    called with each `Alarm` on a thread of its own; `stop_on` makes `run.should_stop()` true from
    the first alarm of that severity on (as `watch --on-alarm stop` says, unless given).

    The run is inert on every rank but 0, and where watch's folder cannot be written. Raises
    ValueError for `resume` without an id or of a run whose run.json is torn, and FileExistsError
    for an id that is taken.
    """
    if resume and id is None:
        raise ValueError("resume=True continues a run: say which one with id=...")
    watched = os.environ.get(RUN_VARIABLE)
    folder = Path(watched) if watched else Path(root) / (id or _new_id(name or project or "run"))
    folder = folder.absolute()
    if rank() != 0:
        return Run(folder, None)
    told: dict[str, Any] = {
        "project": project,
        "name": name,
        "config": None if config is None else dict(config),
        "framework": framework,
        "planned_steps": planned_steps,
    }
    meta = {key: value for key, value in told.items() if value is not None}
    history: list[Record] = []
    if watched:
        try:
            known = read_meta(folder) | meta
            sink = Inbox(folder, meta)
        except OSError as error:  # on another machine, say: the program asked for no such folder
            Complaints().once("inbox", "watch is out of reach, nothing is recorded here: %s", error)
            return Run(folder, None)
    else:
        if (folder / RUN).exists() and not resume:
            raise FileExistsError(
                f"{folder} holds a run: pass resume=True to continue it, or choose another id"
            )
        known = read_meta(folder) | meta
        meta |= {"command": [sys.executable, *sys.argv], "judged": True, **provenance()}
        sink = RunWriter(folder, meta)
        if resume:
            history = RunReader(folder).new()  # after the writer, which makes a sealed run's lines
    stop_on = stop_on or asked_to_stop_on()
    judging = Judging(known.get("planned_steps"), known.get("config"), on_alarm, stop_on)
    judges = judging.acts or not watched
    recorder = Recorder(sink, known.get("framework"), judging, judges=judges, history=history)
    run = Run(folder, recorder)
    lifetime.keep(run)
    return run


def init_or_inert(**options: Any) -> Run:
    """`init` inside somebody else's training: where no run can be begun that is told, and the run
    is inert."""
    try:
        return init(**options)
    except Exception as error:
        Complaints().once("begin", "no run was begun, nothing is recorded: %s", error)
        return Run(Path(options.get("root", "runs")), None)


def asked_to_stop_on() -> Severity | None:
    """The severity at which `watch --on-alarm stop` around this process wants it to end."""
    asked = os.environ.get(STOP_ON_VARIABLE)
    return next((severity for severity in SEVERITIES if severity == asked), None)


class Run:
    """One training run as its own process sees it; inert when `recorder` is None."""

    def __init__(self, folder: Path, recorder: Recorder | None) -> None:
        self.folder = folder
        self._recorder = recorder
        self._stop_file = str(folder / STOP)
        self._complaints = Complaints()

    @property
    def id(self) -> str:
        """Name of the run folder."""
        return self.folder.name

    @property
    def alarms(self) -> list[Alarm]:
        """Alarms that this process has seen raised, the oldest first; inside `watch`, all of it.
        None where the folder is out of reach."""
        if self._recorder and self._recorder.judges:
            return list(self._recorder.alarms)
        try:
            return RunReader(self.folder).alarms()
        except OSError:
            return []

    def log(
        self,
        data: Mapping[str, Any],
        step: int | None = None,
        *,
        notes: Mapping[str, str] | None = None,
    ) -> None:
        """Records numbers of one step; returns within microseconds and never raises.

        Values are Python, NumPy or torch scalars, nested dictionaries are joined with "/", and
        anything else is left out with one warning a name. Without `step` the steps count on.
        `notes` explain values, by name, or say what happened to the run: `event/checkpoint` and
        `event/intervention`, which the app marks.
        """
        if self._recorder is None:
            return
        try:
            values, others = scalars(data)
            for name in others:
                self._complaints.once(name, "%r is not a number and is not recorded", name)
            number = None if step is None else int(step)
            self._recorder.put(Row(number, values, time.time(), notes or {}))
        except Exception as error:
            self._complaints.once("log", "run.log failed, the training goes on: %r", error)

    def flush(self, timeout: float = PATIENCE_SECONDS) -> bool:
        """Waits until all that was logged is written and judged; False when that takes too long."""
        return self._recorder is None or self._recorder.flush(timeout)

    def judge_here(self) -> None:
        """Inside `watch`: judge the records here too, so that an alarm is known within the step.

        `watch` reads what this process wrote and answers a moment later; whoever must act before
        the next step cannot wait for that.
        """
        if self._recorder:
            self._recorder.judges = True

    def should_stop(self) -> bool:
        """Whether a STOP file lies in the run folder, or an alarm has reached `stop_on`."""
        asked = self._recorder is not None and self._recorder.stop
        return asked or os.path.exists(self._stop_file)

    def finish(self, state: str = "finished") -> None:
        """Writes what is left and seals the run. `state`: finished, stopped or failed."""
        recorder, self._recorder = self._recorder, None
        lifetime.live.discard(self)
        if recorder is None:
            return
        try:
            if not recorder.close(state, PATIENCE_SECONDS):
                self._complaints.once("finish", "%s could not be finished in time", self.folder)
        except Exception as error:
            self._complaints.once("finish", "%s was not finished: %r", self.folder, error)

    def forget(self) -> None:
        """Makes this copy of the run inert: another process writes it."""
        self._recorder = None

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.finish("finished" if error is None else "failed")

    def __reduce__(self) -> tuple[Any, ...]:
        return _attach, (self.folder,)


def rank() -> int:
    """This process's rank in a distributed job, 0 when there is none."""
    distributed = sys.modules.get("torch.distributed")
    if distributed and distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank()
    for variable in ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "LOCAL_RANK"):
        if text := os.environ.get(variable):
            return int(text)
    return 0


def _new_id(stem: str) -> str:
    stem = re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "run"
    return f"{stem}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def _attach(folder: Path) -> Run:
    """An unpickled run: the live one where it is of this process, else an inert one."""
    runs = (run for run in lifetime.live if isinstance(run, Run) and run.folder == folder)
    return next(runs, Run(folder, None))
