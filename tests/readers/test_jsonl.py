"""Generic JSON lines."""

from __future__ import annotations

import json
import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.readers.nulls import NULL
from collapse_lab.readers.reader import Log, read
from collapse_lab.records import NEW_RUN, RESTART


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(line + "\n" for line in lines))
    return path


def test_nested_names_are_joined_and_numeric_text_counts(tmp_path: Path) -> None:
    log = write(tmp_path / "a.jsonl", '{"step": 3, "actor": {"kl": "0.5", "clip": {"low": 1}}}')
    (record,), reader = read(log)
    assert record.step == 3
    assert record.values == {"actor/kl": 0.5, "actor/clip/low": 1.0}
    assert reader.format == "jsonl"


def test_every_spelling_of_a_non_finite_number_is_kept(tmp_path: Path) -> None:
    line = '{"step": 3, "a": NaN, "b": -Infinity, "c": "nan", "d": "inf", "e": null, "f": 1e999}'
    usual = json.dumps(dict.fromkeys("abcdef", 0.5))[1:]
    before = [f'{{"step": {step}, {usual}' for step in (1, 2)]
    (*_, record), _ = read(write(tmp_path / "a.jsonl", *before, line))
    assert math.isnan(record.values["a"]) and math.isnan(record.values["c"])
    assert record.values["b"] == -math.inf
    assert record.values["d"] == record.values["f"] == math.inf
    assert math.isnan(record.values["e"]) and record.notes == {"e": NULL}


def test_the_configuration_in_a_line_is_that_of_the_run(tmp_path: Path) -> None:
    how = {"epsilon": 0.2, "optim": {"lr": 1e-6}}
    lines = json.dumps({"config": how}), '{"step": 1, "loss": 1}', '{"step": 2, "config": 3}'
    records, log = read(write(tmp_path / "a.jsonl", *lines))
    assert [record.step for record in records] == [1]
    assert log.config() == how


def test_a_null_where_text_was_before_is_not_a_lost_number(tmp_path: Path) -> None:
    lines = '{"step": 1, "answer": "x", "loss": 1}', '{"step": 2, "answer": null, "loss": 2}'
    records, _ = read(write(tmp_path / "a.jsonl", *lines))
    assert [set(record.values) for record in records] == [{"loss/total"}] * 2


def test_a_null_in_a_column_that_is_filled_now_and_then_is_a_missing_value(tmp_path: Path) -> None:
    exported = [
        {"step": k, "reward": 0.5, "loss": None if k % 2 else 0.1, "eval": 0.3 if k < 1 else None}
        for k in range(6)
    ]
    records, _ = read(write(tmp_path / "a.jsonl", *map(json.dumps, exported)))
    assert [record.values.get("loss/total") for record in records] == [0.1, None] * 3
    assert ["eval" in record.values for record in records] == [True] + [False] * 5
    assert not any(record.notes for record in records)


def test_a_row_of_an_evaluation_has_no_lost_numbers_and_the_training_goes_on_to_lose_its_own(
    tmp_path: Path,
) -> None:
    rows = [{"loss": 0.1, "eval_reward": None}] * 3 + [{"loss": None, "eval_reward": 0.5}]
    lines = [json.dumps({"step": k, **row}) for k, row in enumerate([*rows, *rows])]
    lines += ['{"step": 8, "loss": null, "eval_reward": null}'] * 2
    records, _ = read(write(tmp_path / "a.jsonl", *lines))
    held = [record.values.get("loss/total") for record in records]
    assert held[:8] == [0.1, 0.1, 0.1, None] * 2
    assert [math.isnan(value) for value in held[8:] if value is not None] == [True, True]


def test_a_number_that_is_lost_stays_lost_until_it_is_back_and_may_be_lost_again(
    tmp_path: Path,
) -> None:
    losses = [None, 1, 1, None, None, 2, None, 3, 3, None]
    lines = [json.dumps({"step": k, "x": 1, "loss": loss}) for k, loss in enumerate(losses)]
    whole, _ = read(write(tmp_path / "a.jsonl", *lines))
    told = [str(record.values.get("loss/total", "missing")) for record in whole]
    assert told == ["missing", "1.0", "1.0", "nan", "nan", "2.0", "missing", "3.0", "3.0", "nan"]
    growing = write(tmp_path / "b.jsonl", lines[0])
    log = Log(growing)
    followed = log.new()
    for line in lines[1:]:
        with growing.open("a") as file:
            file.write(line + "\n")
        followed += log.new()
    followed += log.close()
    assert [one.to_json() for one in followed] == [one.to_json() for one in whole]


def test_lines_without_steps_are_counted_whichever_of_their_numbers_are_null(
    tmp_path: Path,
) -> None:
    lines = [json.dumps({"loss": k, "kl": None if k % 2 else 0.5}) for k in range(5)]
    records, _ = read(write(tmp_path / "a.jsonl", *lines))
    assert [record.values["loss/total"] for record in records] == [0, 1, 2, 3, 4]


def test_a_config_at_the_top_and_a_summary_at_the_end_are_no_steps(tmp_path: Path) -> None:
    lines = (
        '{"lr": 1e-6, "total_timesteps": 500}',
        '{"step": 0, "loss": 1.5}',
        '{"step": 1, "loss": 1.25}',
        '{"best_reward": 3}',
    )
    records, _ = read(write(tmp_path / "a.jsonl", *lines))
    assert [(record.step, dict(record.values)) for record in records] == [
        (0, {"loss/total": 1.5}),
        (1, {"loss/total": 1.25}),
    ]


def test_a_log_without_steps_is_counted_from_its_first_repeated_line(tmp_path: Path) -> None:
    lines = '{"lr": 1e-6, "epochs": 3}', *(f'{{"loss": {k}, "acc": 0}}' for k in (4, 5, 6))
    records, _ = read(write(tmp_path / "a.jsonl", *lines))
    assert [(record.step, record.values["loss/total"]) for record in records] == [
        (0, 4.0),
        (1, 5.0),
        (2, 6.0),
    ]


def test_two_writers_rows_of_a_step_merge_and_a_restated_key_does_not(tmp_path: Path) -> None:
    lines = (
        '{"step": 1, "epoch": 0, "loss": 1}',
        '{"step": 1, "epoch": 0, "reward": 2}',
        '{"step": 2, "loss": NaN}',
        '{"step": 2, "loss": 3}',
    )
    records, _ = read(write(tmp_path / "a.jsonl", *lines))
    assert records[0].values == {"time/epoch": 0.0, "loss/total": 1.0, "reward/mean": 2.0}
    assert [record.step for record in records] == [1, 2, 2]
    assert math.isnan(records[1].values["loss/total"]) and records[2].values["loss/total"] == 3


def test_the_step_key_that_came_first_stays_and_an_epoch_never_takes_over(tmp_path: Path) -> None:
    lines = (
        '{"global_step": 10, "epoch": 1, "loss": 1}',
        '{"epoch": 1, "eval_loss": 9}',
        '{"global_step": 20, "step": 2, "epoch": 1, "loss": 2}',
    )
    records, _ = read(write(tmp_path / "a.jsonl", *lines))
    assert [record.step for record in records] == [10, 20]


def test_unix_and_iso_times_are_times_and_durations_are_values(tmp_path: Path) -> None:
    lines = (
        '{"step": 1, "time": 1700000000.5, "loss": 1}',
        '{"step": 2, "timestamp": "2023-11-14T22:13:20+00:00", "loss": 1}',
        '{"step": 3, "wall_time": 12.5, "loss": 1}',
    )
    records, _ = read(write(tmp_path / "a.jsonl", *lines))
    assert [record.time for record in records[:2]] == [1700000000.5, 1700000000.0]
    assert math.isnan(records[2].time) and records[2].values["wall_time"] == 12.5


def test_a_step_that_goes_back_is_a_restart(tmp_path: Path) -> None:
    lines = [f'{{"step": {step}, "loss": 1}}' for step in (1, 2, 3, 2, 3)]
    records, _ = read(write(tmp_path / "a.jsonl", *lines))
    assert [RESTART in record.notes for record in records] == [False, False, False, True, False]
    assert not any(NEW_RUN in record.notes for record in records)


def test_a_growing_file_gives_each_step_once_and_waits_for_a_torn_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"step": 1, "loss": 1}')
    log = Log(path)
    assert log.new() == [] and [record.step for record in log.flush()] == [1]
    with path.open("a") as file:
        file.write('{"step": 2, "loss": 2}\n{"step": 3, "lo')
        file.flush()
        assert log.new() == [] and [record.step for record in log.flush()] == [2]
        file.write('ss": 3}\n')
    assert [(record.step, record.values["loss/total"]) for record in log.close()] == [(3, 3.0)]


def test_lines_that_are_no_objects_are_passed_over(tmp_path: Path) -> None:
    lines = "starting", '{"step": 1, "loss": 1}', "[1, 2]", "{broken}", '{"step": 2, "loss": 2}'
    records, _ = read(write(tmp_path / "a.jsonl", *lines))
    assert [record.step for record in records] == [1, 2]


def test_rllib_results_are_read_without_the_config_they_repeat(tmp_path: Path) -> None:
    line = {
        "training_iteration": 4,
        "episode_reward_mean": 1.5,
        "config": {"lr": 0.1},
        "info": {"learner": {"default_policy": {"learner_stats": {"kl": 0.25}}}},
    }
    (record,), log = read(write(tmp_path / "result.json", json.dumps(line)))
    assert record.step == 4 and record.values == {"reward/mean": 1.5, "kl/old": 0.25}
    assert log.framework == "rllib"


@given(st.lists(st.floats(width=64), min_size=1, max_size=20))
def test_any_number_comes_back_exactly(tmp_path_factory, values: list[float]) -> None:
    path = tmp_path_factory.mktemp("jsonl") / "a.jsonl"
    write(path, *(json.dumps({"step": k, "x": value}) for k, value in enumerate(values)))
    records, _ = read(path)
    assert [record.step for record in records] == list(range(len(values)))
    assert [repr(record.values["x"]) for record in records] == [repr(value) for value in values]


@given(st.lists(st.text(max_size=60), max_size=8))
def test_no_text_breaks_the_reader_or_makes_a_step(lines: list[str]) -> None:
    from collapse_lab.readers.jsonl import JsonLines

    form = JsonLines()
    assert [row for line in lines for row in form.feed(line)] + form.close() == []


def test_an_epoch_with_fractions_counts_no_steps_and_costs_no_line(tmp_path: Path) -> None:
    """A callback that writes the dicts of the transformers Trainer as they are."""
    epochs = [0.0, 0.5, 1.0, 1.5, 2.0, 2.0]
    lines = [json.dumps({"loss": 0.5, "reward": k, "epoch": e}) for k, e in enumerate(epochs)]
    records, _ = read(write(tmp_path / "a.jsonl", *lines))
    assert [(record.step, record.values["reward/mean"]) for record in records] == [
        (step, float(step)) for step in range(6)
    ]
    assert [record.values["time/epoch"] for record in records[1:]] == epochs[1:]
    assert not any(record.notes for record in records)


def test_steps_that_are_counted_anew_in_every_epoch_go_on(tmp_path: Path) -> None:
    counted = [(0, 10), (0, 20), (1, 10), (1, 20), (2, 10)]
    resumed = [(1, 10), (1, 20), (2, 10), (3, 10)]
    rows = [{"epoch": e, "step": s, "reward": 0.5, "loss": 1} for e, s in [*counted, *resumed]]
    records, _ = read(write(tmp_path / "a.jsonl", *map(json.dumps, rows)))
    assert [record.step for record in records] == [10, 20, 21, 31, 32, 21, 31, 32, 33]
    assert [RESTART in record.notes for record in records] == [False] * 5 + [True] + [False] * 3


def test_a_step_of_the_whole_run_goes_back_only_where_the_run_was_resumed(tmp_path: Path) -> None:
    """Its epochs are then those of before, whole or not."""
    for epochs in ([0, 0, 1, 1, 0, 1, 1], [0.5, 0.9, 1.0, 1.4, 1.0, 1.4, 2.0]):
        steps = [10, 20, 30, 40, 25, 35, 45]
        rows = [{"epoch": e, "step": s, "loss": 1} for e, s in zip(epochs, steps, strict=True)]
        records, _ = read(write(tmp_path / "a.jsonl", *map(json.dumps, rows)))
        assert [record.step for record in records] == steps


def test_what_is_logged_late_joins_the_newest_step_and_is_no_restart(tmp_path: Path) -> None:
    """An evaluation that took its time, or a process that writes to the same file and lags."""
    rows = [
        {"step": 1, "reward": 0.1},
        {"step": 2, "reward": 0.2},
        {"step": 3, "reward": 0.3},
        {"step": 1, "loss": 1.0, "kl": 0.1},
        {"step": 4, "reward": 0.4},
        {"step": 2, "loss": 2.0, "kl": 0.2},
        {"step": 2, "reward": 0.5},
    ]
    log = Log(write(tmp_path / "a.jsonl", *map(json.dumps, rows[:4])))
    records = log.new() + log.flush()
    write(tmp_path / "a.jsonl", *map(json.dumps, rows))
    records += log.close()
    assert [(record.step, dict(record.values)) for record in records] == [
        (1, {"reward/mean": 0.1}),
        (2, {"reward/mean": 0.2}),
        (3, {"reward/mean": 0.3, "loss/total": 1.0, "kl/ref": 0.1}),
        (4, {"reward/mean": 0.4, "loss/total": 2.0, "kl/ref": 0.2}),
        (2, {"reward/mean": 0.5}),
    ]
    assert records[2].notes["loss/total"] == "logged for step 1 after step 3 had begun"
    assert [RESTART in record.notes for record in records] == [False] * 4 + [True]


def test_a_run_appended_to_another_is_a_restart_from_its_first_line_on(tmp_path: Path) -> None:
    """Though the last line of the first one, its summary, has other names."""
    run = [*({"step": step, "loss": 1.0, "kl": 0.1} for step in range(3)), {"step": 3, "best": 1}]
    records, _ = read(write(tmp_path / "a.jsonl", *map(json.dumps, [*run, *run])))
    assert [record.step for record in records] == [0, 1, 2, 3] * 2
    assert [RESTART in record.notes for record in records] == [step == 4 for step in range(8)]
