"""Whatever a line holds, no format crashes, hangs, or gives a number that is not in the text."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fuzz_readers import SAMPLES, SPRINKLES, Stated, mutated
from collapse_lab.readers import LINE_FORMATS
from collapse_lab.readers.base import LineFormat, Row
from collapse_lab.readers.reader import LineReader

POOL = [line for lines in SAMPLES.values() for line in lines]
PIECES = st.sampled_from([*POOL, *SPRINKLES])
LINES = st.lists(
    st.one_of(
        st.text(max_size=200),
        st.lists(st.one_of(PIECES, st.text(max_size=9)), max_size=8).map("".join),
        st.integers(0, 10**9).map(lambda seed: mutated(random.Random(seed), POOL)),
    ),
    max_size=12,
)


def rows(form: LineFormat, lines: list[str]) -> list[Row]:
    return [row for line in lines for row in form.feed(line)] + form.close()


def stated(lines: list[str]) -> Stated:
    found = Stated()
    for line in lines:
        found.add(line)
    return found


def test_every_line_format_has_samples_and_reads_them() -> None:
    own = set(LINE_FORMATS) - {"collapse-lab-records"}  # a form of JSON lines
    assert own == set(SAMPLES)
    for name in own - {"key-value"}:  # which wants the same keys several times
        assert rows(LINE_FORMATS[name](), SAMPLES[name]), name


@pytest.mark.parametrize("name", LINE_FORMATS)
@settings(max_examples=100, deadline=2000)
@given(lines=LINES)
def test_no_format_crashes_or_invents(name: str, lines: list[str]) -> None:
    kind = LINE_FORMATS[name]
    assert 0 <= kind.claims(lines) <= 1
    values = [value for row in rows(kind(), lines) for value in row.values.values()]
    assert stated(lines).invented(values) == []


@settings(max_examples=100, deadline=4000)
@given(lines=LINES)
def test_no_reader_that_searches_crashes_or_invents(lines: list[str]) -> None:
    reader = LineReader()
    records = [record for line in lines for record in reader.feed(line)] + reader.close()
    values = [value for record in records for value in record.values.values()]
    assert stated(lines).invented(values) == []


@pytest.mark.parametrize(
    "piece", [*SPRINKLES, "{'a': ", "{'a", "'a': 1, ", "  1%|#| 1/9 [", "a=1 "]
)
def test_a_megabyte_on_one_line_is_read_in_reasonable_time(piece: str) -> None:
    line = piece * (1_000_000 // len(piece))
    for kind in LINE_FORMATS.values():
        started = time.process_time()
        kind().feed(line)
        assert time.process_time() - started < 5, kind.name
