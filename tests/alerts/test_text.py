"""What a person reads."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from collapse_lab.alerts import block
from collapse_lab.mechanisms import MECHANISMS
from collapse_lab.records import Alarm, Suspicion


def test_the_block_says_what_since_when_on_which_evidence_and_what_to_do(
    alarm: Callable[..., Alarm],
) -> None:
    assert block(alarm(step=42), "runs/a b") == (
        "collapse-lab ALARM at step 42 (cusum)\n"
        "  since     step 30 (between 28 and 33)\n"
        "  signal    policy/entropy 0.03, expected 0.2 (0.15 to 0.3), down since step 30, "
        "11 of 12 records\n"
        "  evidence  policy\n"
        "  healthy   up to step 27: go back to a checkpoint no later than that\n"
        "  unseen    not monitored here: ratio\n"
        "  run       runs/a b\n"
        "  look      collapse-lab replay 'runs/a b'"
    )


def test_the_likeliest_mechanism_comes_with_what_to_try_and_the_others_with_their_reason(
    alarm: Callable[..., Alarm],
) -> None:
    suspicions = (Suspicion("staleness", ("4 updates old", "k3 rose")), Suspicion("format"))
    lines = block(replace(alarm(), suspicions=suspicions), "a").splitlines()
    first = lines.index("  likely    off-policy staleness: 4 updates old; k3 rose")
    remedies = MECHANISMS["staleness"].remedies
    assert lines[first + 1] == f"  try       {remedies[0].text} ({remedies[0].source})"
    assert lines[first + 2] == f"            {remedies[1].text} ({remedies[1].source})"
    assert lines[first + 1 + len(remedies)] == "  or        format collapse"


def test_an_alarm_without_evidence_or_healthy_steps_says_so(alarm: Callable[..., Alarm]) -> None:
    bare = replace(alarm(), evidence=(), last_healthy_step=None, not_monitored=())
    text = block(bare, "a")
    assert "  entropy falls\n" in text
    assert "no step before it: there is no checkpoint to go back to" in text
    assert "unseen" not in text


def test_a_value_that_is_not_a_number_is_shown_without_a_direction(
    alarm: Callable[..., Alarm],
) -> None:
    part = replace(
        alarm().evidence[0], observed=math.nan, expected=math.nan, low=-math.inf, high=math.inf
    )
    text = block(replace(alarm(), evidence=(part,)), "a")
    assert "policy/entropy nan since step 30, 11 of 12 records\n" in text


def test_of_many_signals_the_first_six_are_shown(alarm: Callable[..., Alarm]) -> None:
    text = block(replace(alarm(), evidence=alarm().evidence * 9), "a")
    assert text.count("policy/entropy") == 6
    assert "and 3 more" in text
