"""The hand-off never blocks, loses nothing and keeps its order."""

from __future__ import annotations

import os
import resource

from hypothesis import given, settings
from hypothesis import strategies as st

from collapse_lab.watch.feed import Feed, Frames


def drain(reading: int, feed: Feed | None = None) -> list[tuple[int, bytes]]:
    """All frames until the pipe and the feed hold no more."""
    frames, found = Frames(), []
    os.set_blocking(reading, False)
    while True:
        try:
            found += frames.feed(os.read(reading, 1000))
        except BlockingIOError:
            if feed is None or not feed.waiting:
                return found
            feed.pump()


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(1, 2), st.binary(max_size=60_000)), max_size=20))
def test_frames_arrive_whole_and_in_order_past_a_full_pipe_and_a_full_memory(
    sent: list[tuple[int, bytes]],
) -> None:
    reading, writing = os.pipe()
    feed = Feed(writing, memory_limit=50_000)
    for kind, payload in sent:
        feed.send(kind, payload)
    assert drain(reading, feed) == sent
    assert feed.waiting == 0
    feed.close()
    os.close(reading)


def test_frames_sent_while_older_ones_lie_in_the_spill_stay_behind_them() -> None:
    reading, writing = os.pipe()
    feed = Feed(writing, memory_limit=10)
    payloads = [b"%d" % number * 40_000 for number in range(8)]
    for payload in payloads[:5]:
        feed.send(1, payload)
    first = Frames()
    found = list(first.feed(os.read(reading, 50_000)))
    for payload in payloads[5:]:
        feed.send(1, payload)
    os.set_blocking(reading, False)
    while feed.waiting or len(found) < len(payloads):
        feed.pump()
        found += first.feed(os.read(reading, 50_000))
    assert [payload for _, payload in found] == payloads
    feed.close()
    os.close(reading)


def test_on_a_disk_that_takes_no_more_everything_waits_in_memory_in_its_order() -> None:
    reading, writing = os.pipe()
    feed = Feed(writing, memory_limit=10)
    payloads = [b"%d" % number * 40_000 for number in range(8)]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))  # two and a half of them fit
    try:
        for payload in payloads:
            feed.send(1, payload)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [payload for _, payload in drain(reading, feed)] == payloads
    feed.close()
    os.close(reading)


def test_without_a_reader_nothing_is_kept() -> None:
    reading, writing = os.pipe()
    feed = Feed(writing)
    os.close(reading)
    feed.send(1, b"x" * 100)
    assert feed.broken
    feed.send(1, b"x" * 100)
    assert feed.waiting == 0
