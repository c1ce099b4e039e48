"""The vocabulary holds together as data."""

from __future__ import annotations

from typing import get_args

import pytest

from collapse_lab.signals import (
    NEW_OLD,
    POLICY_REF,
    SIGNALS,
    TRAIN_SAMPLER,
    Direction,
    Family,
    Signal,
    Transform,
    known,
)


@pytest.mark.parametrize("signal", SIGNALS.values(), ids=lambda signal: signal.name)
def test_a_signal_is_described_in_known_words(signal: Signal) -> None:
    assert signal.family in get_args(Family)
    assert signal.transform in get_args(Transform)
    assert signal.bad in get_args(Direction)
    assert signal.unit and signal.meaning
    assert signal.meaning[-1] != "." and "|" not in signal.meaning


@pytest.mark.parametrize("signal", SIGNALS.values(), ids=lambda signal: signal.name)
def test_a_divergence_or_ratio_says_what_it_compares(signal: Signal) -> None:
    pairs = {
        "kl/ref": POLICY_REF,
        "kl/old": NEW_OLD,
        "ratio/": NEW_OLD,
        "mismatch/": TRAIN_SAMPLER,
    }
    expected = next((pair for begin, pair in pairs.items() if signal.name.startswith(begin)), "")
    if signal.name == "kl/ref_coef":  # a coefficient compares nothing
        expected = ""
    assert signal.pair == expected


def test_no_name_stands_twice_in_the_table() -> None:
    from collapse_lab import signals

    names = [signal.name for signal in signals._TABLE]
    assert len(names) == len(set(names))


def test_only_names_of_the_table_are_known() -> None:
    assert known("policy/entropy")
    assert not known("policy/entropies")


def test_the_three_divergences_compare_three_different_pairs() -> None:
    pairs = {SIGNALS[name].pair for name in ("kl/ref", "kl/old", "mismatch/k3_kl")}
    assert len(pairs) == 3
