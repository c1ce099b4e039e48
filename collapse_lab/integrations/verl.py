"""verl: whatever its `Tracking.log` is given also goes to a run.

`with watch_verl(): ...` serves a process that trains itself. verl's own entry points train inside
a Ray actor, which a patch in the driver does not reach; verl imports the modules that the
environment variable VERL_USE_EXTERNAL_MODULES names in every process, and naming this one there
patches each of them: the process that logs becomes the run, with the configuration that verl gave
its tracker.
Source: verl `utils/tracking.py`, `__init__.py`.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from collapse_lab.integrations.run import Run, init, init_or_inert

VERL: dict[str, Any] = {"project": "verl", "framework": "verl"}


@contextmanager
def watch_verl(run: Run | None = None, **options: Any) -> Generator[Run]:
    """Within the block all that verl tracks is recorded too; its own backends are untouched.

    Without a `run`, `init(framework="verl", **options)` begins one that ends with the block.
    """
    own = run is None
    run = run or init(**(VERL | options))
    restore = _patch(lambda _: run)
    try:
        yield run
    except BaseException:
        restore()
        if own:
            run.finish("failed")
        raise
    restore()
    if own:
        run.finish()


def _patch(run: Callable[[Any], Run]) -> Callable[[], None]:
    """Patches `Tracking`; `run` is asked at each call of its `log`, with the configuration that the
    tracker was made with. Returns what undoes it."""
    Tracking: Any = import_module("verl.utils.tracking").Tracking
    original, made = Tracking.log, Tracking.__init__

    @functools.wraps(made)
    def remember(self: Any, *args: Any, **options: Any) -> None:
        made(self, *args, **options)
        given = inspect.signature(made).bind(self, *args, **options).arguments
        self.collapse_lab_config = given.get("config")

    @functools.wraps(original)
    def log(self: Any, data: Mapping[str, Any], step: int, *args: Any, **options: Any) -> Any:
        run(getattr(self, "collapse_lab_config", None)).log(data, step)
        return original(self, data, step, *args, **options)

    Tracking.__init__, Tracking.log = remember, log

    def restore() -> None:
        Tracking.__init__, Tracking.log = made, original

    return restore


def _begin_once() -> Callable[[Any], Run]:
    """Begins a run at the first call, when verl is in the middle of a step."""
    begun: list[Run] = []

    def run(config: Any) -> Run:
        if not begun:
            begun.append(init_or_inert(**VERL, config=config if isinstance(config, dict) else None))
        return begun[0]

    return run


if __name__ in os.environ.get("VERL_USE_EXTERNAL_MODULES", "").split(","):
    _patch(_begin_once())
