"""prime-rl: console lines of two ages, the warning about dropped values, and metrics.jsonl."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from collapse_lab.readers.prime_rl import DROPPED, PrimeRlConsole
from collapse_lab.readers.prime_rl_metrics import ABSENT
from collapse_lab.readers.reader import LineReader, read
from collapse_lab.records import RESTART, Record

NEW = (
    "\x1b[1m10:00:00\x1b[0m \x1b[32m SUCCESS\x1b[0m Step 12 |   34.5s | Loss 0.0123"
    " | Entropy 0.2345 | Mismatch KL nan | Grad. Norm 0.0456 | LR 1.00e-06"
    " | Throughput 12345 tokens/s | MFU 12.3% | Peak Mem. 61.2 GiB | Max Vio 0.5"
)
OLD = (
    "10:00:00 SUCCESS Step 12 | Time: 34.50s | Loss: 0.0123 | Entropy: 0.2345 | Mismatch KL: nan"
    " | Grad. Norm: 0.0456 | LR: 1.00e-06 | Throughput: 12345 tokens/s | MFU: 12.3%"
)


def feed(*lines: str) -> list[Record]:
    reader = LineReader()
    records = [record for line in lines for record in reader.feed(line)] + reader.close()
    assert reader.assembler.names.framework == "prime-rl"
    return records


@pytest.mark.parametrize("line", [NEW, OLD])
def test_a_step_line_of_either_age_is_a_record(line: str) -> None:
    (record,) = feed(line)
    assert record.step == 12
    assert record.values["time/step"] == 34.5
    assert record.values["loss/total"] == 0.0123
    assert record.values["policy/entropy"] == 0.2345
    assert math.isnan(record.values["mismatch/k3_kl"])
    assert record.values["optim/grad_norm"] == 0.0456
    assert record.values["optim/lr"] == 1e-06
    assert record.values["Throughput"] == 12345


def test_dropped_values_come_back_as_nan_with_their_names() -> None:
    warning = "10:00:01 WARNING Dropping 3 non-finite value(s) from metrics.jsonl: "
    records = feed(
        "10:00:00 SUCCESS Step 7 | 1.0s | Loss 0.5 | LR 1.00e-06",
        warning + "loss/mean, optim/grad_norm, mismatch_kl/all/max",
        "10:00:02 SUCCESS Step 8 | 1.0s | Loss 0.5 | LR 1.00e-06",
    )
    assert [record.step for record in records] == [7, 8]
    assert records[0].values["loss/total"] == 0.5  # the line itself stated it
    assert math.isnan(records[0].values["optim/grad_norm"])
    assert math.isnan(records[0].values["mismatch/absdiff_max"])
    assert records[0].notes["optim/grad_norm"] == DROPPED
    assert not records[1].notes


@pytest.mark.parametrize(
    "line",
    [
        "Micro Step 3/8 | Loss 0.5000 | Entropy 0.2",
        "Step 5 | waiting for weights",
        "Dropping 1 non-finite value(s) from metrics.jsonl: loss/mean",
        "Starting from Step 5",
    ],
)
def test_other_lines_state_nothing(line: str) -> None:
    assert PrimeRlConsole().feed(line) == []


def metrics(path: Path, *rows: dict[str, object]) -> list[Record]:
    path.write_text("".join(json.dumps({"time": 1.8e9, **row}) + "\n" for row in rows))
    reordered = [json.loads(line) for line in path.read_text().splitlines()]
    lines = [json.dumps({"step": row.pop("step"), **row}) for row in reordered]
    path.write_text("\n".join(lines) + "\n")
    records, log = read(path)
    assert (log.format, log.framework) == ("prime-rl-metrics", "prime-rl")
    return records


def test_rows_of_a_step_merge_though_processes_interleave(tmp_path: Path) -> None:
    def orchestrator(step: int) -> dict[str, object]:
        return {"step": step, "train/agg/all/agent/reward/mean": step / 4, "producer": "orch"}

    def trainer(step: int) -> list[dict[str, object]]:
        return [
            {"step": step, "optim/grad_norm": 1.5, "producer": "trainer"},
            {"step": step, "entropy/all/mean": 0.25, "producer": "trainer"},
        ]

    records = metrics(
        tmp_path / "metrics.jsonl",
        orchestrator(0),
        orchestrator(1),
        *trainer(0),
        orchestrator(2),
        {"step": None, "inference/requests": 3.0, "producer": "inference"},
        *trainer(1),
        *trainer(2),
    )
    assert [record.step for record in records] == [0, 1, 2]
    assert [record.values["reward/mean"] for record in records] == [0.0, 0.25, 0.5]
    assert [record.values["policy/entropy"] for record in records] == [0.25, 0.25, 0.25]
    assert records[2].values["inference/requests"] == 3.0
    assert all(not record.notes for record in records)


def test_a_number_that_was_there_and_is_gone_is_noted_not_invented(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"step": step, "entropy/all/mean": 0.25, "loss/mean": 0.5} for step in range(4)
    ]
    del rows[3]["loss/mean"]
    records = metrics(tmp_path / "metrics.jsonl", *rows)
    assert "loss/total" not in records[3].values
    assert records[3].notes == {"loss/total": ABSENT}
    assert not records[2].notes


def test_an_evaluation_that_ends_late_joins_the_newest_step(tmp_path: Path) -> None:
    records = metrics(
        tmp_path / "metrics.jsonl",
        *({"step": step, "entropy/all/mean": 0.25} for step in range(5)),
        {"step": 1, "eval/aime/avg@8": 0.75},
    )
    assert [record.step for record in records] == [0, 1, 2, 3, 4]
    assert records[4].values["eval/score"] == 0.75


def test_a_trainer_that_begins_anew_is_a_restart(tmp_path: Path) -> None:
    steps = (0, 1, 2, 1, 2)
    rows = [{"step": step, "entropy/all/mean": 0.25} for step in steps]
    records = metrics(tmp_path / "metrics.jsonl", *rows)
    assert [record.step for record in records] == list(steps)
    assert [RESTART in record.notes for record in records] == [False, False, False, True, False]
