"""The logger for any loop: what it records."""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_examples import records

import collapse_lab
from collapse_lab.integrations.scalars import scalars
from collapse_lab.records import RESTART
from collapse_lab.store import RECORDS, RunReader


def test_numbers_of_every_kind_are_recorded_as_floats(run: collapse_lab.Run):
    torch = pytest.importorskip("torch")
    run.log(
        {
            "python": 1,
            "flag": True,
            "numpy": np.float32(0.5),
            "array of one": np.array([[2.0]]),
            "tensor": torch.tensor(0.25, requires_grad=True),
            "half": torch.tensor([3.0], dtype=torch.bfloat16),
        },
        step=7,
    )
    assert run.flush()
    (record,) = records(run.folder)
    assert record.step == 7
    assert record.values == {
        "python": 1.0,
        "flag": 1.0,
        "numpy": 0.5,
        "array of one": 2.0,
        "tensor": 0.25,
        "half": 3.0,
    }
    assert abs(record.time - time.time()) < 60


def test_what_is_not_a_number_is_left_out_and_told_once(
    run: collapse_lab.Run, caplog: pytest.LogCaptureFixture
):
    for _ in range(3):
        run.log({"x": 1.0, "text": "3.5", "none": None, "many": np.zeros(3), "odd": object()})
    assert run.flush()
    assert [record.values for record in records(run.folder)] == [{"x": 1.0}] * 3
    told = [record.message.split()[1] for record in caplog.records]
    assert told == ["'text'", "'none'", "'many'", "'odd'"]


@given(
    st.recursive(
        st.floats() | st.integers(-(2**53), 2**53) | st.booleans() | st.text(),
        lambda inner: st.dictionaries(st.text(st.characters(categories=["L"])), inner, max_size=4),
        max_leaves=20,
    )
)
def test_every_leaf_of_a_nested_dictionary_is_a_number_or_named_as_none(tree: Any):
    def leaves(node: Any) -> int:
        return sum(map(leaves, node.values())) if isinstance(node, dict) else 1

    numbers, others = scalars({"top": tree})
    assert len(numbers) + len(others) == leaves(tree)
    assert all(type(value) is float for value in numbers.values())


def test_non_finite_values_reach_the_folder(run: collapse_lab.Run):
    run.log({"a": math.nan, "b": math.inf, "c": -math.inf})
    assert run.flush()
    (record,) = records(run.folder)
    assert math.isnan(record.values["a"])
    assert (record.values["b"], record.values["c"]) == (math.inf, -math.inf)


def test_without_a_step_the_steps_count_on(run: collapse_lab.Run):
    run.log({"a": 1})
    run.log({"a": 2})
    run.log({"a": 3}, step=10)
    run.log({"a": 4})
    assert run.flush()
    assert [record.step for record in records(run.folder)] == [0, 1, 10, 11]


def test_calls_of_one_step_make_one_record(run: collapse_lab.Run):
    run.log({"a": {"x": 1.0}}, step=3)
    run.log({"b": {"y": 0.5}}, step=3)
    run.log({"a": {"x": 0.9}}, step=4)
    assert run.flush()
    first, second = records(run.folder)
    assert first.values == {"a/x": 1.0, "b/y": 0.5}
    assert second.values == {"a/x": 0.9}


def test_a_nan_is_not_replaced_by_a_later_number_of_its_step(run: collapse_lab.Run):
    run.log({"x": math.nan}, step=3)
    run.log({"x": 0.5}, step=3)
    assert run.flush()
    first, second = records(run.folder)
    assert math.isnan(first.values["x"]) and second.values["x"] == 0.5
    assert first.step == second.step == 3


def test_new_names_for_an_older_step_join_the_newest_and_say_so(run: collapse_lab.Run):
    run.log({"x": 1.0}, step=10)
    run.log({"x": 0.9}, step=11)
    run.log({"y": 0.4}, step=10)
    assert run.flush()
    _, last = records(run.folder)
    assert (last.step, last.values) == (11, {"x": 0.9, "y": 0.4})
    assert last.notes == {"y": "logged for step 10 after step 11 had begun"}


def test_a_name_stated_anew_for_an_older_step_is_a_restart(run: collapse_lab.Run):
    for step in (10, 11, 5, 6):
        run.log({"x": 1.0}, step=step)
    assert run.flush()
    found = records(run.folder)
    assert [record.step for record in found] == [10, 11, 5, 6]
    assert [RESTART in record.notes for record in found] == [False, False, True, False]


def test_what_happened_joins_the_record_of_its_step(run: collapse_lab.Run):
    run.log({"x": 1.0}, step=10)
    run.log({}, step=10, notes={"event/checkpoint": "step-10"})
    run.log({"x": 2.0}, step=11, notes={"event/intervention": "learning rate halved"})
    run.log({}, step=10, notes={"event/checkpoint": "step-10, uploaded"})  # late: the newest has it
    assert run.flush()
    assert [(r.step, r.values, r.notes) for r in records(run.folder)] == [
        (10, {"x": 1.0}, {"event/checkpoint": "step-10"}),
        (
            11,
            {"x": 2.0},
            {
                "event/intervention": "learning rate halved",
                "event/checkpoint": "step-10, uploaded",
            },
        ),
    ]


def test_names_are_translated_like_those_of_any_log(tmp_path: Path):
    with collapse_lab.init(root=tmp_path, framework="verl") as run:
        run.log({"actor/grad_norm": 2.0, "my/own": 1.0}, step=1)
    (record,) = records(run.folder)
    assert record.values == {"optim/grad_norm": 2.0, "my/own": 1.0}


def test_a_step_is_recorded_though_no_other_follows(run: collapse_lab.Run):
    run.log({"loss": 1.0}, step=1)
    deadline = time.monotonic() + 10
    while not records(run.folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [record.step for record in records(run.folder)] == [1]


def test_a_config_and_the_planned_steps_go_into_run_json(tmp_path: Path):
    run = collapse_lab.init("p", "n 1/2", {"lr": 1e-6, "path": Path("x")}, root=tmp_path)
    run.finish()
    meta = RunReader(run.folder).meta
    assert (meta["project"], meta["name"]) == ("p", "n 1/2")
    assert meta["config"] == {"lr": 1e-6, "path": "x"}
    assert meta["state"] == "finished" and run.id.startswith("n-1-2-")


def test_a_taken_id_is_refused_unless_it_is_resumed(tmp_path: Path):
    with collapse_lab.init(root=tmp_path, id="a") as run:
        for step in range(5):
            run.log({"loss": 1.0}, step=step)
    with pytest.raises(FileExistsError, match="resume=True"):
        collapse_lab.init(root=tmp_path, id="a")
    with pytest.raises(ValueError, match="id="):
        collapse_lab.init(root=tmp_path, resume=True)
    with collapse_lab.init(root=tmp_path, id="a", resume=True) as run:
        run.log({"loss": 1.0}, step=3)
        run.log({"loss": 1.0})
    found = records(run.folder)
    assert [record.step for record in found] == [0, 1, 2, 3, 4, 3, 4]
    assert found[5].notes == {RESTART: "step went back from 4 to 3"}


def test_what_is_not_given_on_resuming_stays_as_it_was(tmp_path: Path):
    config = {"num_iterations": 1}
    given: dict[str, Any] = {"planned_steps": 9, "framework": "verl"}
    collapse_lab.init("p", "n", config, root=tmp_path, id="a", **given).finish()
    with collapse_lab.init(root=tmp_path, id="a", resume=True) as run:
        run.log({"actor/grad_norm": 2.0}, step=1)
    meta = RunReader(run.folder).meta
    kept = {"project": "p", "name": "n", "config": config, **given}
    assert {key: meta[key] for key in kept} == kept
    assert [record.values for record in records(run.folder)] == [{"optim/grad_norm": 2.0}]
    with collapse_lab.init("q", root=tmp_path, id="a", resume=True, planned_steps=12):
        pass
    meta = RunReader(run.folder).meta
    assert (meta["project"], meta["planned_steps"], meta["config"]) == ("q", 12, config)


def test_a_resumed_run_of_which_only_the_parquet_was_kept_knows_its_history(tmp_path: Path):
    with collapse_lab.init(root=tmp_path, id="a") as run:
        for step in range(5):
            run.log({"loss": 1.0}, step=step)
    (run.folder / RECORDS).unlink()
    with collapse_lab.init(root=tmp_path, id="a", resume=True) as run:
        run.log({"loss": 1.0}, step=3)
    found = records(run.folder)
    assert [record.step for record in found] == [0, 1, 2, 3, 4, 3]
    assert found[5].notes == {RESTART: "step went back from 4 to 3"}


def test_a_log_call_after_the_end_is_ignored(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.WARNING)
    run = collapse_lab.init(root=tmp_path)
    run.finish()
    run.log({"a": 1.0})
    run.finish()
    assert records(run.folder) == [] and caplog.records == []
