"""Histograms over the steps: bounded, added up and never dropped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.dashboards.histories import Histories, History
from collapse_lab.records import NEW_RUN, Record
from collapse_lab.signals import HISTOGRAMS

BINS = len(HISTOGRAMS["ratio/log"].edges) + 1


def one(bin: int) -> list[float]:
    counts = [0.0] * BINS
    counts[bin] = 4.0
    return counts


def test_buckets_are_paired_by_adding_their_counts_when_there_are_too_many() -> None:
    history = History(most=2)
    for step, counts in enumerate([(1, 0), (0, 1), (3, 1)]):
        history.add(step, np.array(counts, float))
    heat = history.heat()
    assert history.stride == 2
    assert (heat.first_T.tolist(), heat.last_T.tolist()) == ([0, 2], [1, 2])
    assert heat.share_TK.tolist() == [[0.5, 0.5], [0.75, 0.25]]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=200), st.integers(2, 9))
def test_nothing_is_dropped_however_long_the_run_and_however_few_are_shown(
    counts: list[int], most: int
) -> None:
    history = History(most=most)
    for step, count in enumerate(counts):
        history.add(step, np.array([float(count), 0.0]))
    total = sum(total[0] for _, _, _, total in history._buckets)
    assert total == sum(counts)
    heat = history.heat(most=3)
    assert len(heat.first_T) <= 3
    assert (heat.first_T[0], heat.last_T[-1]) == (0, len(counts) - 1)
    assert np.all(heat.first_T[1:] == heat.last_T[:-1] + 1)


def test_a_restart_takes_back_what_came_after_it() -> None:
    history = History()
    for step in (0, 1, 2, 1):
        history.add(step, np.array([1.0, 0.0]) if step else np.array([0.0, 1.0]))
    assert history.heat().last_T.tolist() == [0, 1]


def test_a_bucket_without_counts_has_no_share() -> None:
    history = History()
    history.add(0, np.zeros(3))
    assert np.isnan(history.heat().share_TK).all()


def test_only_the_asked_steps_are_shown() -> None:
    history = History()
    for step in range(10):
        history.add(step, np.ones(2))
    assert history.heat(3, 5).first_T.tolist() == [3, 4, 5]
    assert history.heat(30, 50).share_TK.shape[0] == 0


def test_a_file_is_read_on_from_where_it_was_left_and_torn_lines_wait(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    lines = [Record(step, histograms={"ratio/log": one(step)}).to_json() for step in range(3)]
    file.write_text(lines[0] + "\nnot json\n" + lines[1][:20])
    histories = Histories(tmp_path)
    assert histories.refresh(1) == 1
    assert histories.by_name["ratio/log"].heat().first_T.tolist() == [0]
    with file.open("a") as more:
        more.write(lines[1][20:] + "\n" + lines[2] + "\n")
    histories.refresh(1)
    heat = histories.by_name["ratio/log"].heat()
    assert heat.share_TK.argmax(1).tolist() == [0, 1, 2]


def test_a_long_file_is_read_a_little_at_a_time_and_says_how_far(tmp_path: Path) -> None:
    line = Record(0, histograms={"ratio/log": one(0)}).to_json()
    with (tmp_path / "records.jsonl").open("w") as file:
        for step in range(15_000):
            file.write(line.replace('"step": 0', f'"step": {step}') + "\n")
    histories = Histories(tmp_path)
    first = histories.refresh(0)
    assert 0 < first < 1
    shares = [first]
    while shares[-1] < 1:
        shares.append(histories.refresh(0))
    assert shares == sorted(shares)
    assert histories.by_name["ratio/log"].heat().last_T[-1] == 14_999


@pytest.mark.parametrize("counts", [[1.0], [1.0] * (BINS + 1)])
def test_counts_of_other_bins_than_ours_are_not_drawn(tmp_path: Path, counts: list[float]) -> None:
    record = json.loads(Record(0).to_json()) | {"histograms": {"ratio/log": counts}}
    (tmp_path / "records.jsonl").write_text(json.dumps(record) + "\n")
    histories = Histories(tmp_path)
    histories.refresh(1)
    assert histories.by_name == {}


def test_of_several_runs_in_one_log_the_last_one_is_shown(tmp_path: Path) -> None:
    records = [
        Record(5, histograms={"ratio/log": one(0)}),
        Record(0, histograms={"ratio/log": one(1)}, notes={NEW_RUN: "b"}),
    ]
    (tmp_path / "records.jsonl").write_text("".join(r.to_json() + "\n" for r in records))
    histories = Histories(tmp_path)
    histories.refresh(1)
    assert histories.by_name["ratio/log"].heat().first_T.tolist() == [0]


def test_a_folder_without_records_has_no_histograms(tmp_path: Path) -> None:
    histories = Histories(tmp_path)
    assert histories.refresh(1) == 1
    assert histories.by_name == {}
