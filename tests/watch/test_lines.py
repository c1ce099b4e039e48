"""Several streams, one log."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.watch.lines import LONG_BAR, LONGEST_HALF, Lines


def test_halves_of_different_streams_are_never_joined() -> None:
    lines = Lines()
    assert lines.feed(1, b"step:1 - lo") == []
    assert lines.feed(2, b"warning\n") == ["warning"]
    assert lines.feed(1, b"ss:0.5\n") == ["step:1 - loss:0.5"]


def test_what_a_progress_bar_drew_comes_before_the_next_line_of_another_stream() -> None:
    lines = Lines()
    assert lines.feed(2, b"\r  1/100") == []
    assert lines.feed(2, b"\r  2/100") == []
    assert lines.feed(1, b"{'loss': 0.5}\n") == ["\r  1/100\r  2/100", "{'loss': 0.5}"]
    assert lines.feed(2, b"\r  3/100") == []
    assert lines.feed(1, b"{'loss': 0.4}\n") == ["\r  3/100", "{'loss': 0.4}"]


def test_an_unfinished_line_that_is_no_bar_waits_for_its_end() -> None:
    lines = Lines()
    assert lines.feed(2, b"loading ... ") == []
    assert lines.feed(1, b"hello\n") == ["hello"]
    assert lines.feed(2, b"done\n") == ["loading ... done"]


def test_a_bar_that_draws_for_hours_is_passed_on_in_whole_drawings() -> None:
    lines = Lines()
    drawings = [b"\r%30d" % count for count in range(20_000)]
    passed = [line for drawing in drawings for line in lines.feed(2, drawing)]
    assert "".join(passed + lines.close()).encode() == b"".join(drawings)
    assert max(map(len, passed)) < LONG_BAR + 100


def test_a_line_without_end_is_kept_up_to_a_limit() -> None:
    lines = Lines()
    for _ in range(100):
        lines.feed(1, b"x" * 50_000)
    (half,) = lines.close()
    assert len(half) == LONGEST_HALF


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
