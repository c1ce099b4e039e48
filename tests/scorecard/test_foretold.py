"""Which runs the chances are held against, by whom they are told, and how they read."""

from __future__ import annotations

import json

import numpy as np
import pytest

from collapse_lab.scorecard import JudgedRun, foretell, foretold_tables

LENGTH, HORIZON = 40, 10


def judged(group: str, onset: int | None = None, kind: str = "") -> JudgedRun:
    """Two horizons: at 10 a seer that states 1 within ten records of the onset and 0 else, at 20 a
    quarter all the time."""
    points = np.arange(LENGTH)
    sees = np.zeros(LENGTH) if onset is None else (points >= onset - HORIZON).astype(float)
    kind = kind or ("healthy" if onset is None else "collapse")
    chances = {"seer": {HORIZON: sees, 2 * HORIZON: np.full(LENGTH, 0.25)}}
    return JudgedRun("", kind, group, {}, range(LENGTH), onset, onset, (), chances=chances)


def corpus() -> list[JudgedRun]:
    return [judged("a"), judged("a", 20), judged("b"), judged("b")]


def test_who_sees_every_collapse_has_all_skill_and_who_states_one_number_has_none() -> None:
    seer, blind = foretell(corpus())
    assert (seer.detector, seer.horizon, seer.brier.score) == ("seer", HORIZON, 0)
    assert seer.brier.skill == 1 and seer.skill_interval == (1, 1)
    assert blind.horizon == 2 * HORIZON and blind.brier.stated == pytest.approx(0.25)
    # every record of the collapse's twenty is followed by it: a run of four
    assert blind.brier.observed == pytest.approx(0.25)
    assert blind.brier.skill == pytest.approx(0)


def test_groups_are_scored_apart_and_one_without_a_collapse_has_no_skill() -> None:
    seer, blind = foretell(corpus())
    assert list(seer.by_group) == ["a", "b"]
    # ten of the collapse's twenty records, of one run of two
    assert seer.by_group["a"].observed == pytest.approx(0.25)
    assert seer.by_group["a"].skill == 1
    assert seer.by_group["b"].score == 0 and np.isnan(seer.by_group["b"].skill)
    assert blind.by_group["b"].score == pytest.approx(0.0625)


def test_the_bins_say_how_often_it_came_with_intervals_over_groups() -> None:
    seer, blind = foretell(corpus())
    assert [one.observed for one in seer.brier.bins if one.share] == [0, 1]
    quarter = next(place for place, one in enumerate(blind.brier.bins) if one.share)
    assert blind.brier.bins[quarter].observed == pytest.approx(0.25)
    low, high = blind.bin_intervals[quarter]
    assert low == 0 and high > 0.25  # draws without group a have no collapse


def test_runs_that_do_not_count_are_not_asked() -> None:
    cut_short = judged("c", kind="suspect_censored")
    assert foretell([*corpus(), cut_short])[0].by_group.keys() == {"a", "b"}


def test_it_is_json_with_null_for_what_is_undefined() -> None:
    raw = json.loads(json.dumps([one.to_dict() for one in foretell(corpus())], allow_nan=False))
    assert raw[0]["by_group"]["b"]["skill"] is None
    assert raw[0]["reliability"][-1] == {
        "from": 0.8,
        "to": 1.0,
        "share": pytest.approx(0.125),
        "stated": 1.0,
        "observed": 1.0,
        "observed_bootstrap": [1.0, 1.0],
    }
    assert raw[1]["brier"] == pytest.approx(0.1875)


def test_the_tables_read_so() -> None:
    text = foretold_tables.foretold(foretell(corpus()))
    assert "| seer | 10 | 100 % | 0.000 | 0.109 | +1.00 [+1.00, +1.00] | 13 % | 13 % |" in text
    assert "| seer | 20 to 30 % | - | 25 % [0, " in text
    assert "| seer | 80 to 100 % | 100 % [100, 100] (12.5 %) | - |" in text
    assert "| seer | b | 0 %, 0 % | 0.000 (0.000) | 25 %, 0 % | 0.062 (0.000) |" in text


def test_where_nobody_states_a_chance_that_is_said() -> None:
    run = JudgedRun("", "healthy", "a", {}, range(LENGTH), None, None, ())
    for runs in ([run], []):
        assert foretold_tables.foretold(foretell(runs)) == "No detector stated a chance."
