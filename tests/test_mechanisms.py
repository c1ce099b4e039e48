"""The table of mechanisms: every entry says what it is and what to try, with a source."""

from __future__ import annotations

import pytest

from collapse_lab.detectors.clues import ASKED, RULES
from collapse_lab.mechanisms import MECHANISMS, Mechanism, mechanism
from collapse_lab.signals import SIGNALS


@pytest.mark.parametrize("entry", MECHANISMS.values(), ids=lambda entry: entry.key)
def test_an_entry_has_a_name_a_sentence_and_remedies_with_sources(entry: Mechanism) -> None:
    assert entry.name and entry.meaning.endswith(".")
    assert len(entry.remedies) >= 2
    assert all(remedy.text and remedy.source for remedy in entry.remedies)


def test_every_mechanism_has_its_rule_and_every_rule_its_mechanism() -> None:
    assert list(RULES) == list(MECHANISMS)


def test_rules_ask_for_signals_of_the_vocabulary_each_once() -> None:
    assert set(ASKED) <= SIGNALS.keys()
    assert len(set(ASKED)) == len(ASKED)


def test_a_key_that_another_version_wrote_is_shown_as_it_is() -> None:
    assert mechanism("gremlins") == Mechanism("gremlins", "gremlins", "", ())
