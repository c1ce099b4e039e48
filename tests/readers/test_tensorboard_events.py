"""TensorBoard event files, written by TensorBoard's own writer."""

from __future__ import annotations

import math
import os
import struct
import sys
from pathlib import Path

import pytest

from collapse_lab.readers.base import UnreadableLog
from collapse_lab.readers.reader import Log, read
from collapse_lab.records import NEW_RUN, RESTART, Record

pytest.importorskip("tensorboard", reason="needs TensorBoard")

from tensorboard.compat.proto.event_pb2 import Event  # pyright: ignore
from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore
from tensorboard.compat.proto.types_pb2 import DT_FLOAT, DT_STRING  # pyright: ignore
from tensorboard.summary.writer.event_file_writer import EventFileWriter

Scalar = tuple[int, str, float]


def write(folder: Path, *scalars: Scalar, suffix: str = "") -> Path:
    """An event file of plain scalars, one event each, a second apart."""
    writer = EventFileWriter(str(folder), filename_suffix=suffix)
    for second, (step, tag, value) in enumerate(scalars):
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
        writer.add_event(Event(step=step, wall_time=1.7e9 + second, summary=summary))
    writer.close()
    return next(file for file in sorted(folder.iterdir()) if file.name.endswith(suffix))


def write_with_text(folder: Path, tag: str, text: str) -> Path:
    """An event file with a text and a scalar."""
    value = Summary.Value(tag=tag)
    value.tensor.dtype = DT_STRING
    value.tensor.tensor_shape.dim.add(size=1)
    value.tensor.string_val.append(text.encode())
    value.metadata.plugin_data.plugin_name = "text"
    writer = EventFileWriter(str(folder))
    writer.add_event(Event(summary=Summary(value=[value])))
    writer.add_event(
        Event(step=1, summary=Summary(value=[Summary.Value(tag="x", simple_value=1.0)]))
    )
    writer.close()
    return next(folder.iterdir())


def numbers(records: list[Record]) -> list[tuple[int, dict[str, float]]]:
    return [(record.step, dict(record.values)) for record in records]


def test_tags_of_a_step_are_one_record_with_its_time(tmp_path: Path) -> None:
    file = write(tmp_path, (1, "a", 1.0), (1, "b", math.inf), (2, "a", math.nan), (2, "b", -1.5))
    records, log = read(file)
    assert [record.step for record in records] == [1, 2]
    assert records[0].values == {"a": 1.0, "b": math.inf} and records[0].time == 1.7e9 + 1
    assert math.isnan(records[1].values["a"]) and records[1].values["b"] == -1.5
    assert log.format == "tensorboard"


def test_scalars_kept_as_tensors_are_read_and_other_tensors_are_not(tmp_path: Path) -> None:
    number, text, two = (Summary.Value(tag=tag) for tag in ("kl", "text", "two"))
    number.tensor.dtype = two.tensor.dtype = DT_FLOAT
    number.tensor.float_val.append(0.25)
    two.tensor.tensor_shape.dim.add(size=2)
    two.tensor.float_val.extend([1.0, 2.0])
    text.tensor.dtype = DT_STRING
    text.tensor.string_val.append(b"0.5")
    writer = EventFileWriter(str(tmp_path))
    writer.add_event(Event(step=3, summary=Summary(value=[number, text, two])))
    writer.close()
    assert numbers(read(tmp_path)[0]) == [(3, {"kl/ref": 0.25})]


def test_a_tag_written_late_is_no_restart_and_one_that_goes_back_is(tmp_path: Path) -> None:
    file = write(tmp_path, (1, "a", 1), (2, "a", 2), (1, "b", 3), (3, "a", 4), (2, "a", 5))
    records, _ = read(file)
    assert numbers(records) == [
        (1, {"a": 1.0, "b": 3.0}),
        (2, {"a": 2.0}),
        (3, {"a": 4.0}),
        (2, {"a": 5.0}),
    ]
    assert [RESTART in record.notes for record in records] == [False, False, False, True]


def test_episodes_that_end_at_the_same_step_are_records_of_their_own(tmp_path: Path) -> None:
    file = write(tmp_path, (5, "episodic_return", 1), (5, "episodic_return", 1), (9, "x", 0))
    records, log = read(file)
    assert [record.step for record in records] == [5, 5, 9]
    assert log.framework == "cleanrl"


def test_a_value_restated_with_the_final_summary_is_no_record(tmp_path: Path) -> None:
    file = write(tmp_path, (5, "loss", 1), (5, "epoch", 2), (5, "runtime", 60), (5, "epoch", 2))
    records, _ = read(file)
    assert numbers(records) == [(5, {"loss/total": 1.0, "time/epoch": 2.0, "runtime": 60.0})]


def test_files_of_a_folder_go_on_and_sub_folders_are_runs(tmp_path: Path) -> None:
    write(tmp_path / "a", (1, "x", 1), suffix=".1")
    write(tmp_path / "a", (2, "x", 2), suffix=".2")
    records, _ = read(tmp_path / "a")
    assert [record.step for record in records] == [1, 2] and not records[0].notes
    write(tmp_path / "b", (1, "x", 9))
    records, _ = read(tmp_path)
    assert [record.notes.get(NEW_RUN) for record in records] == ["a", None, "b"]
    assert [record.step for record in records] == [1, 2, 1]


def test_a_second_axis_in_seconds_is_left_out(tmp_path: Path) -> None:
    file = write(tmp_path, (1, "Train/mean_reward", 2), (70, "Train/mean_reward/time", 2))
    records, log = read(file)
    assert numbers(records) == [(1, {"reward/mean": 2.0})] and log.framework == "rsl_rl"


def test_a_file_that_grows_byte_by_byte_gives_each_event_once(tmp_path: Path) -> None:
    data = write(tmp_path / "whole", *((step, "x", step / 4) for step in range(4))).read_bytes()
    live = tmp_path / "events.out.tfevents.1"
    live.touch()
    log = Log(live)
    found: list[Record] = []
    with live.open("ab", buffering=0) as file:
        for position in range(len(data)):
            file.write(data[position : position + 1])
            found += log.new()
    assert numbers(found + log.close()) == [(step, {"x": step / 4}) for step in range(4)]


def test_events_before_a_damaged_one_are_kept(tmp_path: Path) -> None:
    path = write(tmp_path, (1, "x", 1), (2, "x", 2))
    (length,) = struct.unpack("<Q", path.read_bytes()[:8])
    assert length > 0
    with path.open("r+b") as file:
        file.seek(-3, os.SEEK_END)
        file.write(b"\x00\x00\x00")
    assert numbers(read(path)[0]) == [(1, {"x": 1.0})]


def test_the_text_of_the_arguments_is_the_configuration_of_its_folder(tmp_path: Path) -> None:
    config = pytest.importorskip("trl.trainer.grpo_config").GRPOConfig
    arguments = config(
        "unused", use_cpu=True, bf16=False, report_to="none", num_iterations=4,
        per_device_train_batch_size=8, num_generations=8,
    )  # fmt: skip
    stated = write_with_text(tmp_path / "a", "args/text_summary", arguments.to_json_string())
    write_with_text(tmp_path / "b", "model_config/text_summary", '{"hidden_size": 64}')
    write_with_text(tmp_path / "c", "args/text_summary", "[1, 2")
    assert read(stated)[1].config()["num_iterations"] == 4
    _, log = read(tmp_path)
    assert log.config("a")["num_iterations"] == 4
    assert log.config("b") == log.config("c") == {}


def test_hyperparameters_that_torch_wrote_are_the_configuration(tmp_path: Path) -> None:
    tensorboard = pytest.importorskip("torch.utils.tensorboard", reason="needs torch")
    writer = tensorboard.SummaryWriter(str(tmp_path))
    writer.add_hparams({"loss_fn.use_cispo": True, "lr": 1e-6, "kl_type": "k3"}, {})
    writer.add_scalar("reward", 0.5, 1)
    writer.close()
    records, log = read(tmp_path)
    assert [dict(record.notes) for record in records] == [{}]
    assert log.config() == {"loss_fn.use_cispo": 1.0, "lr": 1e-6, "kl_type": "k3"}


def test_hyperparameters_written_amid_a_run_begin_no_other(tmp_path: Path) -> None:
    tensorboard = pytest.importorskip("torch.utils.tensorboard", reason="needs torch")
    writer = tensorboard.SummaryWriter(str(tmp_path / "run"))
    found: list[Record] = []
    log: Log | None = None
    for step in range(3):
        writer.add_scalar("reward", step / 4, step)
        writer.flush()
        log = log or Log(tmp_path)
        found += log.new()
        writer.add_hparams({"lr": 1e-6}, {"hparam/best": 0.5})
    writer.close()
    assert log is not None
    found += log.close()
    assert numbers(found) == [(step, {"reward/mean": step / 4}) for step in range(3)]
    assert not any(record.notes for record in found)
    assert numbers(read(tmp_path)[0]) == numbers(found)


def test_runs_that_state_their_hyperparameters_themselves_are_all_read(tmp_path: Path) -> None:
    """As TensorFlow's plugin keeps them: what was searched above, a folder for every run."""
    tensorboard = pytest.importorskip("torch.utils.tensorboard", reason="needs torch")
    for run in ("a", "b"):
        writer = tensorboard.SummaryWriter(str(tmp_path))
        writer.add_hparams({"lr": 1e-6}, {"reward": 0.5}, run_name=run)
        writer.close()
    records, log = read(tmp_path)
    assert [record.notes.get(NEW_RUN) for record in records] == ["a", "b"]
    assert log.config("a") == log.config("b") == {"lr": 1e-6}


def test_a_run_keeps_its_name_when_another_begins_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "a", (1, "x", 1), suffix=".1")
    log = Log(tmp_path)
    found = log.new()
    write(tmp_path / "b", (1, "x", 9))
    found += log.new()
    write(tmp_path / "a", (2, "x", 2), suffix=".2")
    found += log.close()
    assert [(record.step, record.notes.get(NEW_RUN)) for record in found] == [
        (1, None),
        (1, "b"),
        (2, ""),
    ]


def test_hyperparameters_of_another_plugin_are_none(tmp_path: Path) -> None:
    value = Summary.Value(tag="_hparams_/session_start_info")
    value.metadata.plugin_data.content = b"\xff\xff"
    writer = EventFileWriter(str(tmp_path))
    writer.add_event(Event(summary=Summary(value=[value])))
    writer.close()
    log = Log(tmp_path)
    assert (log.close(), log.config()) == ([], {})


def test_without_tensorboard_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path, (1, "x", 1))
    for name in [name for name in sys.modules if name.partition(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(UnreadableLog, match=r"pip install 'collapse-lab\[trackers\]'"):
        read(file)


def test_runs_that_go_on_at_once_have_restarts_of_their_own(tmp_path: Path) -> None:
    log: Log | None = None
    found: list[Record] = []
    for turn, step in enumerate((1, 2, 3, 2)):
        write(tmp_path / "a", (step, "x", step), suffix=f".{turn}")
        write(tmp_path / "b", (turn, "x", turn), suffix=f".{turn}")
        log = log or Log(tmp_path)
        found += log.new()
    assert log is not None
    found += log.close()
    runs = [(record.notes.get(NEW_RUN), record.step) for record in found]
    assert runs == [("a", 1), ("b", 0), ("a", 2), ("b", 1), ("a", 3), ("b", 2), ("a", 2), ("b", 3)]
    assert [RESTART in record.notes for record in found] == [False] * 6 + [True, False]
