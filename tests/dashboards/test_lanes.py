"""The lanes of an alarm: their order, their scale and what stands before it."""

from __future__ import annotations

from dataclasses import replace

from app_examples import ENTROPY, alarm_at
from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.dashboards.lanes import MOST_LANES, Scale, chosen, key_of, timeline
from collapse_lab.dashboards.rollouts import cut
from collapse_lab.records import Alarm, Evidence


def part(signal: str, since: int) -> Evidence:
    return replace(ENTROPY, signal=signal, since=since)


def alarm(step: int, *parts: Evidence, began: int, healthy: int | None = None) -> Alarm:
    return replace(
        alarm_at(step), evidence=parts, since_interval=(began, began), last_healthy_step=healthy
    )


def test_the_first_signal_to_leave_its_band_is_the_first_lane() -> None:
    about = alarm(50, part("kl/ref", 40), part("policy/entropy", 30), began=30, healthy=29)
    told = timeline([about], about)
    assert [lane.signal for lane in told.lanes] == ["policy/entropy", "kl/ref"]
    assert told.scale.low < 29 and told.scale.high > 50


def test_notices_of_the_same_change_lend_their_signals_and_older_ones_do_not() -> None:
    old = alarm(10, part("length/mean", 5), began=5)
    notice = alarm(45, part("optim/grad_norm", 42), began=42)
    about = alarm(50, part("policy/entropy", 41), began=41, healthy=40)
    told = timeline([old, notice, about], about)
    assert [lane.signal for lane in told.lanes] == ["policy/entropy", "optim/grad_norm"]
    assert told.notices == (notice,)


def test_notices_of_an_earlier_attempt_are_about_another_change() -> None:
    before = alarm(44, part("optim/grad_norm", 42), began=42)
    later = alarm(90, part("kl/ref", 80), began=80)
    about = alarm(50, part("policy/entropy", 41), began=41, healthy=40)
    told = timeline([before, later, about], about)
    assert [lane.signal for lane in told.lanes] == ["policy/entropy"]
    assert told.notices == ()


def test_a_last_healthy_step_long_before_does_not_squeeze_the_lanes() -> None:
    about = alarm(1000, part("policy/entropy", 990), began=990, healthy=3)
    assert timeline([about], about).scale.low > 970


def test_many_signals_are_cut_and_counted() -> None:
    parts = [part(f"s{k}", k) for k in range(MOST_LANES + 3)]
    about = alarm(50, *parts, began=0)
    told = timeline([about], about)
    assert (len(told.lanes), told.left_out) == (MOST_LANES, 3)


def test_an_alarm_without_evidence_has_no_lanes_and_still_a_scale() -> None:
    about = alarm(7, began=7)
    told = timeline([about], about)
    assert told.lanes == ()
    assert told.scale.high > told.scale.low


def test_the_address_names_an_alarm_and_an_unknown_one_is_the_default() -> None:
    first, second = alarm_at(10), alarm_at(20)
    assert chosen([first, second], key_of(second), first) is second
    assert chosen([first, second], "99-nothing", first) is first


@given(st.integers(-1000, 10**7), st.integers(1, 10**6))
def test_ticks_are_few_and_lie_on_the_scale(low: int, span: int) -> None:
    ticks = Scale(low, low + span).ticks()
    assert len(ticks) <= 8
    assert all(low <= tick <= low + span for tick in ticks)


@given(st.lists(st.tuples(st.just("a"), st.text(max_size=40))), st.integers(1, 60))
def test_a_cut_loses_no_character(blocks: list[tuple[str, str]], most: int) -> None:
    shown, rest = cut(blocks, most)
    text = "".join(text for _, text in blocks)
    head = "".join(text for _, text in shown)
    head = head.removesuffix(" ...") if rest else head
    assert head + "".join(text for _, text in rest) == text
