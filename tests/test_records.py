"""What crosses a boundary comes back as it was, non-finite numbers included."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.records import Alarm, Evidence, Record, Suspicion

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
NAMES = st.text(max_size=12)


def same(left: float, right: float) -> bool:
    return left == right or (math.isnan(left) and math.isnan(right))


@given(
    st.integers(-(2**60), 2**60),
    NUMBERS,
    st.dictionaries(NAMES, NUMBERS, max_size=5),
    st.dictionaries(NAMES, st.lists(NUMBERS, max_size=4), max_size=2),
    st.dictionaries(NAMES, st.text(max_size=12), max_size=2),
)
def test_a_record_comes_back_from_its_line_as_it_was(
    step: int,
    time: float,
    values: dict[str, float],
    histograms: dict[str, list[float]],
    notes: dict[str, str],
) -> None:
    line = Record(step, time, values, histograms, notes).to_json()
    back = Record.from_json(line)
    assert "\n" not in line
    assert back.step == step and same(back.time, time) and back.notes == notes
    assert back.values.keys() == values.keys()
    assert all(same(back.values[name], value) for name, value in values.items())
    assert back.histograms.keys() == histograms.keys()
    for name, counts in histograms.items():
        assert all(map(same, back.histograms[name], counts))


def test_a_record_s_line_is_strict_json_with_non_finite_numbers_as_strings() -> None:
    line = Record(3, 1.5, {"a": math.nan, "b": math.inf, "c": -math.inf, "d": 0.25}).to_json()
    expected = {"a": "nan", "b": "inf", "c": "-inf", "d": 0.25}

    def refuse(token: str) -> float:
        raise AssertionError(f"{token} is not JSON")

    parsed = json.loads(line, parse_constant=refuse)
    assert parsed == {"step": 3, "time": 1.5, "values": expected}


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "3",
        "null",
        "{}",
        '{"step": 1}',
        '{"values": {}}',
        '{"step": "x", "values": {}}',
        '{"step": 1, "values": {"a": "?"}}',
        '{"step": 1, "values": [1]}',
        '{"step": 1e999, "values": {}}',
    ],
)
def test_a_line_that_is_no_record_is_a_value_error(line: str) -> None:
    with pytest.raises(ValueError):
        Record.from_json(line)


@given(st.text(max_size=60))
def test_any_text_is_a_record_or_a_value_error(text: str) -> None:
    try:
        record = Record.from_json(text)
    except ValueError:
        return
    assert Record.from_json(record.to_json()).step == record.step


def _evidence(signal: str, family: str, **numbers: float) -> Evidence:
    fields = {"observed": 0.8, "expected": 0.4, "low": 0.3, "high": 0.5, "score": 9.0} | numbers
    return Evidence(signal, family, since=418, direction="up", bad_steps=12, steps=13, **fields)


def test_an_alarm_comes_back_from_strict_json_as_it_was() -> None:
    alarm = Alarm(
        step=431,
        severity="alarm",
        detector="e-detector",
        message="two families",
        since=418,
        since_interval=(414, 420),
        evidence=(_evidence("policy/entropy", "policy", low=-math.inf), _evidence("kl/ref", "x")),
        last_healthy_step=413,
        not_monitored=("mismatch (not logged)",),
        notes=("a note",),
        suspicions=(Suspicion("staleness", ("samples are 4 updates old",)), Suspicion("format")),
        restart=400,
    )
    text = json.dumps(alarm.to_dict(), allow_nan=False)
    assert Alarm.from_dict(json.loads(text)) == alarm


def test_an_alarm_that_an_earlier_version_wrote_names_no_mechanism_and_no_restart() -> None:
    alarm = Alarm(1, "watch", "cusum", "", 1, (1, 1))
    raw = alarm.to_dict()
    del raw["suspicions"], raw["restart"]
    assert Alarm.from_dict(raw) == alarm


def test_an_alarm_names_its_signals_and_each_family_once_strongest_first() -> None:
    evidence = (
        _evidence("kl/ref", "policy"),
        _evidence("ratio/max", "ratio"),
        _evidence("policy/entropy", "policy"),
    )
    alarm = Alarm(1, "watch", "cusum", "", 1, (1, 1), evidence)
    assert alarm.signals == ("kl/ref", "ratio/max", "policy/entropy")
    assert alarm.families == ("policy", "ratio")


def test_an_alarm_without_a_field_is_a_value_error() -> None:
    raw = Alarm(1, "watch", "cusum", "", 1, (1, 1)).to_dict()
    for name in ("step", "evidence", "since_interval", "notes"):
        with pytest.raises(ValueError):
            Alarm.from_dict({key: value for key, value in raw.items() if key != name})
