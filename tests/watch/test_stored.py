"""A log that is read again from its start, against what was stored of it as it grew."""

from __future__ import annotations

from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.readers.assembler import Assembler
from collapse_lab.readers.base import Row
from collapse_lab.records import NEW_RUN, Record
from collapse_lab.watch.stored import Stored

TRAIN, EVALUATION = "reward/mean", "eval/loss"


def row(step: int, name: str) -> Row:
    """What a run that repeats itself to the digit logs at a step."""
    return Row(step, {name: float(step + (name == EVALUATION))})


def together(records: list[Record]) -> list[tuple[int, dict[str, float]]]:
    """What the records say of each step in turn, however many say it."""
    return [
        (step, {name: value for record in group for name, value in record.values.items()})
        for step, group in groupby(records, key=lambda record: record.step)
    ]


@given(
    moves=st.lists(st.sampled_from([1, 1, 1, 0, -1, -3]), min_size=1, max_size=30),
    quiet=st.sets(st.integers(0, 30)),
    watched=st.integers(0, 30),
    killed=st.booleans(),
)
def test_wherever_it_was_quiet_and_the_watch_ended_every_step_is_there_once(
    moves: list[int], quiet: set[int], watched: int, killed: bool
) -> None:
    rows, step = [row(10, TRAIN)], 10
    for move in moves:  # 0 is an evaluation, a step back is a restart
        step += move
        rows.append(row(step, TRAIN if move else EVALUATION))
    live, again = Assembler("trl", merges=True), Assembler("trl", merges=True)
    stored: list[Record] = []
    for number, one in enumerate(rows[:watched]):
        stored += live.add(one) + (live.flush() if number in quiet else [])
    stored += [] if killed else live.flush()
    at_once = [record for one in rows for record in again.add(one)] + again.flush()
    known = Stored(stored)
    new = [rest for record in at_once if (rest := known.rest(record, ""))]
    assert together([*stored, *new]) == together(at_once)


def numbered(step: int, **values: float) -> Record:
    return Record(step, values=values)


def test_of_the_last_stored_step_only_what_came_later_is_new() -> None:
    known = Stored([numbered(1, a=1.0), numbered(2, a=2.0)])
    assert known.rest(numbered(1, a=1.0, b=1.0), "") is None  # its rest would come out of order
    assert known.rest(numbered(2, a=2.0, b=5.0), "") == numbered(2, b=5.0)
    assert known.rest(numbered(2, a=2.0, b=5.0), "") == numbered(2, a=2.0, b=5.0)


def test_a_log_of_something_else_and_one_that_was_cut_are_new_where_they_differ() -> None:
    records = [numbered(step, a=float(step)) for step in range(1, 6)]
    other = [numbered(step, a=step + 0.5) for step in range(1, 6)]
    known = Stored(records)
    assert [known.rest(record, "") for record in other] == other
    known = Stored(records)  # the first two were rotated away
    assert [known.rest(record, "") for record in records[2:]] == [None] * 3


def test_not_a_number_is_met_again_and_runs_are_kept_apart() -> None:
    nan = numbered(1, a=float("nan"))
    known = Stored([Record(1, values=nan.values, notes={NEW_RUN: "x"}), numbered(2, a=1.0)])
    assert known.run == "x"
    assert known.rest(nan, "y") == nan
    assert known.rest(nan, "x") is None
