"""What the panel had learned earlier on: what is kept of it, and what a run goes back to."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collapse_lab.detectors.frontend import FrontEnd
from collapse_lab.detectors.prior import shipped
from collapse_lab.detectors.state import EVERY, MOST, Past, State


def past(records: int, stride: int = 1) -> Past:
    """Of a run that logs every `stride` steps."""
    state, kept = State(FrontEnd(shipped()), []), Past()
    for record in range(records):
        state.steps.append(record * stride)
        state.records += 1
        kept.keep(state)
    return kept


@pytest.mark.parametrize(
    ("step", "records"), [(100, 96), (97, 96), (96, 96), (95, 88), (9, 8), (8, 8)]
)
def test_a_run_goes_back_to_the_last_state_that_knows_nothing_of_the_step(step: int, records: int):
    """Kept are those after 8, 16, ... records, the last steps of which are 7, 15, ..."""
    state = past(120).before(step)
    assert state is not None and state.records == records and state.steps[-1] == records - 1


def test_before_the_first_state_there_is_none() -> None:
    assert past(120).before(7) is None
    assert past(EVERY - 1).before(100) is None


def test_what_is_kept_of_a_run_that_goes_back_belongs_to_the_attempt_before() -> None:
    kept = past(120)
    first, again = kept.before(50), kept.before(100)
    assert first is not None and again is not None
    assert first.records == again.records == 48


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 2000), st.floats(0, 1), st.sampled_from([1, 5]))
def test_few_states_are_kept_and_one_is_not_much_older_than_any_step(
    records: int, part: float, stride: int
) -> None:
    kept, place = past(records, stride), int(part * (records - 1))
    assert len(pickle.dumps(kept)) < (MOST + 1) * 200_000
    state = kept.before(place * stride)
    lost = place - (state.records if state else 0)
    assert lost <= max(2 * EVERY, records - place)
