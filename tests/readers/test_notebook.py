"""Notebooks whose cells printed a log."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from collapse_lab.readers.base import UnreadableLog
from collapse_lab.readers.reader import Log, read

PROGRESS = {"output_type": "stream", "name": "stderr", "text": "loading: 50%\rloading: 100%\n"}


def notebook(path: Path, *texts: list[str] | str) -> Path:
    cells = [{"cell_type": "markdown", "source": ["# title"]}]
    for text in texts:
        output = {"output_type": "stream", "name": "stdout", "text": text}
        cells.append({"cell_type": "code", "source": [], "outputs": [PROGRESS, output]})
    path.write_text(json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5}))
    return path


def line(step: int) -> str:
    return f"step:{step} - actor/entropy:{'nan' if step == 2 else 0.5} - critic/score/mean:1.0\n"


def test_a_console_log_in_cells_is_read_across_them(tmp_path: Path) -> None:
    path = notebook(tmp_path / "a.ipynb", [line(0), line(1)], line(2) + line(3))
    records, log = read(path)
    assert [record.step for record in records] == [0, 1, 2, 3]
    assert math.isnan(records[2].values["policy/entropy"])
    assert records[3].values == {"policy/entropy": 0.5, "reward/mean": 1.0}
    assert (log.format, log.framework) == ("notebook", "verl")


def test_a_notebook_saved_again_gives_its_new_steps(tmp_path: Path) -> None:
    path = notebook(tmp_path / "a.ipynb", line(0))
    log = Log(path)
    assert [record.step for record in log.new() + log.flush()] == [0]
    path.write_text(path.read_text()[:50])
    assert log.new() + log.flush() == []
    notebook(path, line(0) + line(1))
    assert [record.step for record in log.close()] == [1]


def test_a_notebook_that_printed_no_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableLog):
        read(notebook(tmp_path / "a.ipynb", "hello\n"))
