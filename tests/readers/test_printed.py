"""Configurations that programs print: verl's own, as its entry point prints it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from pprint import pformat
from typing import Any

from collapse_lab.readers.printed import PrintedDict
from collapse_lab.readers.reader import HEAD_LINES, LineReader, read

PREFIX = "\x1b[36m(TaskRunner pid=46086)\x1b[0m "
STEPS = [f"{PREFIX}step:{step} - actor/entropy:0.5 - actor/lr:1e-06" for step in (1, 2)]


def printed(config: Any, prefix: str = PREFIX) -> list[str]:
    return [prefix + line for line in pformat(config).split("\n")]


def test_verl_s_console_states_its_whole_configuration_before_the_first_step(
    verl: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    config = verl()
    lines = printed(config)
    lines.insert(5, "\x1b[36m(WorkerDict pid=46408)\x1b[0m {'another': process}")
    path = tmp_path / "train.log"
    path.write_text("\n".join(["Started a local Ray instance.", *lines, *STEPS, ""]))
    records, log = read(path)
    assert [record.step for record in records] == [1, 2]
    assert log.config() == config


def test_a_notebook_states_what_its_cells_printed(tmp_path: Path) -> None:
    config = {"actor_rollout_ref": {"actor": {"clip_ratio": 0.2}}, "data": {"train_batch_size": 8}}
    text = "\n".join([*printed(config), *STEPS])
    output = {"output_type": "stream", "name": "stdout", "text": text}
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "outputs": [output]}]}))
    records, log = read(path)
    assert len(records) == 2 and log.config() == config


def test_a_running_program_tells_it_however_long_the_first_step_takes_to_come() -> None:
    reader = LineReader()
    config = {"actor_rollout_ref": {"actor": {"clip_ratio": 0.2}, "rollout": {"name": "x" * 80}}}
    *lines, last = printed(config)
    for line in lines:
        assert reader.feed(line) == [] and reader.config == {}
    for line in [last, *(f"{PREFIX}loading shard {shard}" for shard in range(2 * HEAD_LINES))]:
        assert reader.feed(line) == [] and reader.config == config
    assert [record.step for record in reader.feed(STEPS[0])] == [1]
    assert reader.config == config and reader.assembler.names.framework == "verl"


def test_the_last_one_that_is_printed_counts_and_what_is_no_plain_data_does_not() -> None:
    form = PrintedDict("first")
    for line in printed({"first": {"a": 1, "b": 2}}, ""):
        form.feed(line)
    form.feed("{'first': object()}")
    assert form.found == {"first": {"a": 1, "b": 2}}
    form.feed("{'first': 2}")
    assert form.found == {"first": 2}


def test_one_that_never_ends_is_forgotten() -> None:
    form = PrintedDict("first")
    for line in ("{'first': 1,", *[" 'key': 1,"] * 5000):
        form.feed(line)
    form.feed("}")
    assert form.found == {}
