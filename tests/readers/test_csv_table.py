"""Tables with a header."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.readers.base import UnreadableLog
from collapse_lab.readers.reader import Log, read
from collapse_lab.records import NEW_RUN, RESTART, Record


def table(path: Path, *lines: str) -> Path:
    path.write_text("".join(line + "\n" for line in lines))
    return path


def numbers(records: list[Record]) -> list[tuple[int, dict[str, float]]]:
    return [(record.step, dict(record.values)) for record in records]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found_and_quotes_protect_it(tmp_path: Path, delimiter: str) -> None:
    rows = [["step", "loss", "note"], ["1", "0.5", f"a{delimiter}b"], ["2", "0.25", ""]]
    with (tmp_path / "a.csv").open("w") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    records, log = read(tmp_path / "a.csv")
    assert numbers(records) == [(1, {"loss/total": 0.5}), (2, {"loss/total": 0.25})]
    assert log.format == "csv"


def test_between_semicolons_a_comma_is_a_decimal_one(tmp_path: Path) -> None:
    lines = "step;loss;reward;note", "0;0,5;-1,25e-3;a,b", "1;0.25;3;1,2,3"
    records, _ = read(table(tmp_path / "a.csv", *lines))
    assert numbers(records) == [
        (0, {"loss/total": 0.5, "reward/mean": -0.00125}),
        (1, {"loss/total": 0.25, "reward/mean": 3.0}),
    ]


def test_an_empty_cell_is_missing_and_nan_is_nan(tmp_path: Path) -> None:
    records, _ = read(table(tmp_path / "a.csv", "step,x,y", "1,,nan", "2,-inf,3"))
    assert set(records[0].values) == {"y"} and math.isnan(records[0].values["y"])
    assert records[1].values == {"x": -math.inf, "y": 3.0}


def test_a_first_column_that_names_the_run_separates_stacked_runs(tmp_path: Path) -> None:
    lines = "case,step,loss", '"a, 1",0,1', '"a, 1",1,2', "b,0,3", "b,1,4"
    records, _ = read(table(tmp_path / "a.csv", *lines))
    assert [record.step for record in records] == [0, 1, 0, 1]
    assert [record.notes.get(NEW_RUN) for record in records] == ["a, 1", None, "b", None]
    assert not any(RESTART in record.notes for record in records)


def test_a_first_column_of_dates_names_no_run(tmp_path: Path) -> None:
    lines = "date,loss,x", "2024-01-01 00:00:00,1,1", "2024-01-01 00:01:00,2,1"
    records, _ = read(table(tmp_path / "a.csv", *lines))
    assert [record.time for record in records] == [1704067200.0, 1704067260.0]
    assert not any(NEW_RUN in record.notes for record in records)


def test_a_table_without_a_step_column_counts_its_rows(tmp_path: Path) -> None:
    records, _ = read(table(tmp_path / "a.csv", ",loss,kl", "0,3,1", "1,2,1", "2,1,1"))
    assert [(record.step, record.values["loss/total"]) for record in records] == [
        (0, 3.0),
        (1, 2.0),
        (2, 1.0),
    ]
    assert "" not in records[0].values


def test_monitor_files_begin_with_a_comment(tmp_path: Path) -> None:
    lines = '#{"t_start": 1.5, "env_id": "X"}', "r,l,t", "10.0,20,0.5", "12.0,24,1.0"
    records, log = read(table(tmp_path / "monitor.csv", *lines))
    assert [record.values["reward/mean"] for record in records] == [10.0, 12.0]
    assert [record.values["length/episode_mean"] for record in records] == [20.0, 24.0]
    assert log.framework == "sb3"


def test_a_growing_table_gives_each_row_once(tmp_path: Path) -> None:
    path = table(tmp_path / "progress.csv", "step,loss", "1,0.5")
    log = Log(path)
    assert numbers(log.new() + log.flush()) == [(1, {"loss/total": 0.5})]
    with path.open("a") as file:
        file.write("2,0.2")
        file.flush()
        assert log.new() + log.flush() == []
        file.write("5\n")
    assert numbers(log.new() + log.flush()) == [(2, {"loss/total": 0.25})]


def test_an_empty_csv_file_may_become_a_table(tmp_path: Path) -> None:
    (tmp_path / "progress.csv").touch()
    log = Log(tmp_path / "progress.csv")
    assert log.new() == []
    table(tmp_path / "progress.csv", "step,loss", "1,0.5")
    assert numbers(log.close()) == [(1, {"loss/total": 0.5})]


def test_a_header_that_grows_in_place_loses_and_repeats_nothing(tmp_path: Path) -> None:
    path = table(tmp_path / "progress.csv", "step,loss", "1,0.5", "2,0.4")
    log = Log(path)
    assert len(log.new() + log.flush()) == 2
    with path.open("r+") as file:  # as Stable-Baselines3 does when a key is new
        file.write("step,loss,kl\n1,0.5,\n2,0.4,\n3,0.3,0.1\n")
    assert numbers(log.new() + log.flush()) == [(3, {"loss/total": 0.3, "kl/ref": 0.1})]


def test_a_real_stable_baselines_header_rewrite_is_followed(tmp_path: Path) -> None:
    logger = pytest.importorskip("stable_baselines3.common.logger", reason="needs the package")
    writer = logger.CSVOutputFormat(str(tmp_path / "progress.csv"))
    writer.write({"time/total_timesteps": 1, "rollout/ep_rew_mean": 5.0}, {}, 1)
    log = Log(tmp_path / "progress.csv")
    assert len(log.new() + log.flush()) == 1
    writer.write({"time/total_timesteps": 2, "train/loss": math.nan}, {}, 2)
    (record,) = log.new() + log.flush()
    assert record.step == 2 and math.isnan(record.values["loss/total"])


def test_a_history_dumped_anew_each_time_gives_only_its_new_rows(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "step,loss", "1,0.5", "2,0.4")
    log = Log(path)
    assert len(log.new() + log.flush()) == 2
    path.unlink()
    table(path, "step,loss", "1,0.5", "2,0.4", "3,0.3")
    assert numbers(log.new() + log.flush()) == [(3, {"loss/total": 0.3})]


def test_another_run_at_the_same_place_is_read_from_its_start(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "step,loss", "1,0.5", "2,0.4", "3,0.3")
    log = Log(path)
    assert len(log.new() + log.flush()) == 3
    path.unlink()
    table(path, "step,loss", "1,9.0", "2,8.0")
    records = log.new() + log.flush()
    assert numbers(records) == [(1, {"loss/total": 9.0}), (2, {"loss/total": 8.0})]
    assert RESTART in records[0].notes


def test_a_resumed_run_may_repeat_the_header(tmp_path: Path) -> None:
    lines = "step,loss", "1,0.5", "2,0.4", "step,loss,kl", "2,0.3,7"
    records, _ = read(table(tmp_path / "a.csv", *lines))
    assert [record.step for record in records] == [1, 2, 2]
    assert records[2].values == {"loss/total": 0.3, "kl/ref": 7.0}


def test_a_last_row_cut_short_keeps_its_whole_cells(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("step,loss,kl,note\n1,0.5,0.1,x\n2,0.4,0.2")
    records, _ = read(path)
    assert records[1].values == {"loss/total": 0.4}
    path.write_text('step,loss,kl,note\n1,0.5,0.1,x\n2,0.4,0.2,"a long')
    records, _ = read(path)
    assert records[1].values == {"loss/total": 0.4, "kl/ref": 0.2}


def test_a_last_row_cut_before_its_step_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("episodes,loss,training_iteration\n7,0.5,1\n8,0.4,2\n9,0.")
    records, _ = read(path)
    assert [record.step for record in records] == [1, 2]


def test_a_quoted_cell_may_hold_a_line_break(tmp_path: Path) -> None:
    records, _ = read(table(tmp_path / "a.csv", "step,config,loss", '1,"{', 'a: 1}",0.5'))
    assert numbers(records) == [(1, {"loss/total": 0.5})]


def test_prose_with_commas_is_no_table(tmp_path: Path) -> None:
    path = table(tmp_path / "a.txt", "Hello, world", "this, that", "and 1, 2 or 3")
    with pytest.raises(UnreadableLog, match=r"Hello, world"):
        read(path)


@given(st.lists(st.tuples(st.floats(width=64), st.floats(width=64)), min_size=1, max_size=20))
def test_any_number_comes_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, float]]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "a", "b"])
        writer.writerows([step, *row] for step, row in enumerate(rows))
    records, _ = read(path)
    found = [(repr(record.values["a"]), repr(record.values["b"])) for record in records]
    assert found == [(repr(a), repr(b)) for a, b in rows]


@given(st.lists(st.text(st.characters(exclude_characters="\n"), max_size=40), max_size=12))
def test_no_text_breaks_the_parser(lines: list[str]) -> None:
    from collapse_lab.readers.csv_table import Table

    rows = Table()
    for line in ["step,loss", *lines]:
        cells = rows.feed(line)
        assert cells is None or set(cells) <= set(rows.columns)
    rows.close("")


def test_a_key_is_not_called_unmapped_once_the_framework_is_known(tmp_path: Path) -> None:
    lines = "step,actor/grad_norm,odd,actor/pg_loss", "0,1.0,2,", "1,1.0,2,0.5"
    records, log = read(table(tmp_path / "a.csv", *lines))
    assert log.framework == "verl" and log.unmapped == ["odd"]
    assert records[1].values == {"optim/grad_norm": 1.0, "odd": 2.0, "loss/pg": 0.5}


def test_an_epoch_with_fractions_counts_no_steps(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("epoch,reward\n" + "".join(f"{k / 4},{k}\n" for k in range(9)))
    records, _ = read(table)
    assert [(record.step, record.values["reward/mean"]) for record in records] == [
        (k, float(k)) for k in range(9)
    ]
