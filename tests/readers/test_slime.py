"""slime's dicts on three axes, put on that of the optimiser steps."""

from __future__ import annotations

from collapse_lab.readers.reader import LineReader
from collapse_lab.records import RESTART, Record

PREFIX = "(MegatronTrainRayActor pid=9) [2026-08-21 10:00:00] model.py:918 - "


def rollout(at: int, reward: float) -> str:
    return PREFIX + f"rollout {at}: {{'rollout/raw_reward': {reward}, 'rollout/step': {at}}}"


def step(at: int, loss: float = 0.5, role: str = "") -> str:
    return PREFIX + f"{role}step {at}: {{'train/{role}loss': {loss}, 'train/step': {at}}}"


def read(*lines: str) -> list[Record]:
    reader = LineReader()
    records = [record for line in lines for record in reader.feed(line)] + reader.close()
    assert (reader.format, reader.assembler.names.framework) == ("slime-console", "slime")
    assert all(RESTART not in record.notes for record in records)
    return records


def rewards(records: list[Record]) -> list[tuple[int, float | None]]:
    return [(record.step, record.values.get("reward/mean")) for record in records]


def test_a_rollout_joins_the_step_that_trains_on_it() -> None:
    records = read(rollout(0, 0.1), step(0), rollout(1, 0.2), step(1), rollout(2, 0.3), step(2))
    assert rewards(records) == [(0, 0.1), (1, 0.2), (2, 0.3)]
    assert [record.values["loss/total"] for record in records] == [0.5, 0.5, 0.5]


def test_a_rollout_generated_ahead_waits_for_its_step() -> None:
    records = read(rollout(0, 0.1), rollout(1, 0.2), step(0), rollout(2, 0.3), step(1), step(2))
    assert rewards(records) == [(0, 0.1), (1, 0.2), (2, 0.3)]


def test_a_rollout_of_several_steps_joins_its_first() -> None:
    records = read(rollout(0, 0.1), step(0), step(1), rollout(1, 0.2), step(2), step(3))
    assert rewards(records) == [(0, 0.1), (1, None), (2, 0.2), (3, None)]


def test_the_critic_and_the_evaluation_belong_to_the_newest_step() -> None:
    evaluation = PREFIX + "eval 0: {'eval/aime': 0.25, 'eval/step': 0}"
    timing = PREFIX + "perf 0: {'perf/step_time': 12.5}"
    records = read(step(0), step(0, 2.0, role="critic-"), timing, evaluation, step(1))
    assert [record.step for record in records] == [0, 1]
    assert records[0].values == {
        "loss/total": 0.5,
        "train/critic-loss": 2.0,
        "time/step": 12.5,
        "eval/score": 0.25,
    }


def test_a_rollout_that_was_never_trained_on_is_not_lost() -> None:
    records = read(rollout(0, 0.1), step(0), rollout(1, 0.2))
    assert rewards(records) == [(0, 0.1), (1, 0.2)]
