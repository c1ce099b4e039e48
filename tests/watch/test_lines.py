"""Several streams, one log."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.watch.lines import LONGEST_HALF, Lines


def test_halves_of_different_streams_are_never_joined() -> None:
    lines = Lines()
    assert lines.feed(1, b"step:1 - lo") == []
    assert lines.feed(2, b"warning\n") == ["warning"]
    assert lines.feed(1, b"ss:0.5\n") == ["step:1 - loss:0.5"]


def test_a_progress_bar_tells_its_state_before_the_next_line_of_another_stream() -> None:
    lines = Lines()
    assert lines.feed(2, b"\r  1/100") == []
    assert lines.feed(2, b"\r  2/100") == []
    assert lines.feed(1, b"{'loss': 0.5}\n") == ["  2/100", "{'loss': 0.5}"]


def test_a_bar_that_draws_for_hours_takes_no_memory() -> None:
    lines = Lines()
    for count in range(20_000):
        lines.feed(2, b"\r%30d" % count)
    assert sum(len(half) for half in lines.close()) == LONGEST_HALF


@given(st.binary(max_size=200), st.lists(st.integers(0, 200)))
def test_however_the_bytes_are_cut_the_lines_are_the_same(data: bytes, cuts: list[int]) -> None:
    lines = Lines()
    bounds = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    found: list[str] = []
    for start, end in itertools.pairwise(bounds):
        found += lines.feed(1, data[start:end])
    *complete, half = data.split(b"\n")
    assert found == [line.decode("utf-8", "replace") for line in complete]
    assert lines.close() == ([half.decode("utf-8", "replace")] if half else [])
