"""Which mechanism a change points at: runs made by hand, each going wrong in one known way."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.configured.suspects import NOTHING, Suspects
from collapse_lab.detectors.clues import ASKED, RULES
from collapse_lab.detectors.history import History
from collapse_lab.detectors.naming import MOST, likely
from collapse_lab.detectors.panel import Panel
from collapse_lab.records import Alarm, Evidence, Record, Suspicion
from collapse_lab.signals import SIGNALS

CHANGE, STEPS = 60, 70
HEALTHY = {
    "reward/success_rate": 0.6,
    "reward/mean": 0.6,
    "policy/entropy": 0.3,
    "policy/valid_frac": 0.95,
    "length/mean": 200.0,
    "length/trunc_frac": 0.01,
    "ratio/m2": 0.002,
    "ratio/m2_last": 0.006,
    "ratio/clip_frac": 0.01,
    "ratio/out_low_frac": 0.006,
    "ratio/out_high_frac": 0.004,
    "mismatch/k3_kl": 0.001,
    "reward/zero_std_frac": 0.3,
    "optim/lr": 1e-6,
    "optim/grad_norm": 0.5,
}
Course = Callable[[int], float] | float


def named(
    after: Mapping[str, Course],
    all_along: Mapping[str, Course] | None = None,
    *parts: Evidence,
    suspects: Suspects = NOTHING,
) -> list[str]:
    """Of a run that is healthy but for what is so all along and what is so after the change."""
    return [one.mechanism for one in suspicions(after, all_along, *parts, suspects=suspects)]


def suspicions(
    after: Mapping[str, Course],
    all_along: Mapping[str, Course] | None = None,
    *parts: Evidence,
    suspects: Suspects = NOTHING,
) -> Sequence[Suspicion]:
    history = History(ASKED)
    for step in range(STEPS):
        courses: dict[str, Course] = dict(HEALTHY)
        courses |= {**(all_along or {}), **(after if step >= CHANGE else {})}
        wobble = 1 + 0.02 * math.sin(2.4 * step)
        values = {
            name: course(step) if callable(course) else course * wobble
            for name, course in courses.items()
        }
        history.update(Record(step, values=values))
    return likely(parts, history, CHANGE, suspects)


def part(signal: str, since: int, direction: str = "up", observed: float = 1.0) -> Evidence:
    family = SIGNALS[signal].family
    way = "up" if direction == "up" else "down"
    return Evidence(signal, family, since, observed, 0.5, 0.4, 0.6, way, 9.0, 5, 5)


def test_a_run_in_which_nothing_moved_has_no_mechanism() -> None:
    assert named({}) == []


def test_a_lone_fall_of_the_reward_is_unclear() -> None:
    assert named({"reward/success_rate": 0.1, "reward/mean": 0.1}) == []


def test_a_gradient_that_is_not_a_number_is_numerical_whatever_moved_before_it() -> None:
    broken = part("optim/grad_norm", 68, observed=math.nan)
    found = suspicions({"policy/entropy": 0.9}, None, part("policy/entropy", 60), broken)
    assert [one.mechanism for one in found] == ["numerical", "entropy_explosion"]
    assert found[0].because == ("optim/grad_norm is nan",)


@pytest.mark.parametrize("score", [0.0, -10.0])
def test_nothing_solved_before_and_nothing_now_is_no_reward_hacking(score: float) -> None:
    moved = {"eval/score": score, "reward/mean": 0.8, "policy/entropy": 3.0}
    assert "reward_hacking" not in named(moved, {"eval/score": score})


def test_success_that_falls_while_the_reward_holds_is_reward_hacking() -> None:
    assert named({"reward/success_rate": 0.1, "reward/mean": 0.8}) == ["reward_hacking"]
    assert named({"reward/success_rate": 0.1, "reward/mean": 0.1}) == []
    assert named({"eval/success_rate": 0.1}, {"eval/success_rate": 0.6}) == ["reward_hacking"]


def test_a_ratio_that_is_large_from_the_first_mini_batch_on_is_staleness() -> None:
    old = {"ratio/m2": lambda step: 5e-5 * (step + 1), "ratio/m2_last": lambda step: 5e-5 * step}
    fresh = old | {"ratio/m2_last": lambda step: 15e-5 * step}
    assert named({}, old)[0] == "staleness"
    assert "staleness" not in named({}, fresh)


def test_a_ratio_that_is_large_at_the_last_mini_batch_may_be_many_updates_or_large_ones() -> None:
    assert named({"ratio/m2": 0.02, "ratio/m2_last": 0.06}) == ["staleness", "learning_rate"]


def test_samples_that_the_run_calls_old_are_staleness_once_the_ratio_has_grown() -> None:
    assert (
        named({"ratio/m2": 0.02, "ratio/m2_last": 0.06}, {"async/staleness": 4})[0] == "staleness"
    )
    assert named({}, {"async/staleness": 4}) == []


def test_a_sampler_that_is_further_from_the_trainer_than_any_is_a_mismatch() -> None:
    found = suspicions({"mismatch/k3_kl": 0.03})
    assert [one.mechanism for one in found] == ["mismatch"]
    assert found[0].because == ("mismatch/k3_kl is 0.03, 0.001 in the first record",)
    late = suspicions({}, {"mismatch/k3_kl": lambda step: 1e-3 * step})
    assert late[0].because == ("mismatch/k3_kl is 0.067, none in the first record",)


def test_tokens_beyond_the_band_that_nothing_clips_are_a_tolerant_clip() -> None:
    assert named({}, {"ratio/clip_frac": 0.0}) == ["tolerant_clip"]
    inside = {"ratio/clip_frac": 0.0, "ratio/out_low_frac": 0.0, "ratio/out_high_frac": 0.0}
    assert named({}, inside) == []


def test_a_run_that_does_not_log_the_band_is_not_told_to_clip_tolerantly() -> None:
    unknown = {"ratio/clip_frac": 0.0, "ratio/out_low_frac": math.nan}
    assert named({}, unknown) == []


def test_entropy_is_judged_against_where_it_began() -> None:
    assert named({"policy/entropy": 0.9}) == ["entropy_explosion"]
    learned = {"policy/entropy": lambda step: 0.3 if step < 20 else 0.1}
    assert named({"policy/entropy": 0.14}, learned) == []
    assert named({"policy/entropy": 0.16}, learned) == ["entropy_explosion"]
    assert named({"policy/entropy": 0.05}) == ["entropy_collapse"]
    assert named({}, {"policy/entropy": lambda step: 0.3 * 0.995**step}) == []


def test_answers_that_lose_their_form_are_a_format_collapse() -> None:
    assert named({"policy/valid_frac": 0.4}) == ["format"]
    assert named({"policy/valid_frac": 0.88}) == []


def test_some_broken_answers_are_the_weakest_clue() -> None:
    after = {"policy/valid_frac": 0.75, "policy/entropy": 0.02}
    valid_first = part("policy/valid_frac", 60, "down"), part("policy/entropy", 66, "down")
    assert named(after, None, *valid_first) == ["entropy_collapse", "format"]


@pytest.mark.parametrize(
    "after", [{"length/mean": 600.0}, {"length/mean": 40.0}, {"length/trunc_frac": 0.4}]
)
def test_responses_that_grow_shrink_or_hit_the_limit_are_a_length_runaway(
    after: Mapping[str, Course],
) -> None:
    assert named(after) == ["length"]


def test_length_is_what_was_learned_where_it_moved_first_and_cost_no_reward() -> None:
    after = {"length/mean": 600.0, "policy/entropy": 0.9}
    moved = part("length/mean", 60), part("policy/entropy", 66)
    assert named(after, None, *moved) == ["length", "entropy_explosion"]
    assert named(after | {"reward/mean": 0.1}, None, *moved) == ["entropy_explosion", "length"]


def test_a_limit_that_hardly_any_response_hits_is_none() -> None:
    assert named({"length/trunc_frac": 0.03}) == []


def test_groups_without_spread_before_the_change_are_starvation_and_after_it_its_effect() -> None:
    assert named({}, {"reward/zero_std_frac": 0.97}) == ["starvation"]
    assert named({"reward/zero_std_frac": 1.0}) == []


def test_updates_that_grow_while_the_rate_does_are_the_rate_s() -> None:
    rising = suspicions({"ratio/m2": 0.02, "ratio/m2_last": 0.06}, {"optim/lr": lambda n: 1e-7 * n})
    assert rising[0].mechanism == "learning_rate"
    assert rising[0].because == ("the learning rate was rising, 5.9e-06 to 6.7e-06",
                                 "ratio/m2 up")  # fmt: skip


def test_of_two_that_speak_equally_the_first_to_move_comes_first() -> None:
    after = {"policy/valid_frac": 0.4, "length/mean": 600.0}
    format_first = part("policy/valid_frac", 60, "down"), part("length/mean", 66)
    length_first = part("policy/valid_frac", 66, "down"), part("length/mean", 60)
    assert named(after, None, *format_first) == ["format", "length"]
    assert named(after, None, *length_first) == ["length", "format"]


UNCLIPPED = {"ratio/clip_frac": 0.0}
USUAL = Suspects(ruled_out={"tolerant_clip": "the clip is a usual one"})
TOLERANT = Suspects(possible={"tolerant_clip": "the clip is wide"})
NO_BAND = {"ratio/out_low_frac": math.nan, "ratio/out_high_frac": math.nan}
RISING = {"optim/lr": lambda step: 1e-7 * step}


def test_what_the_configuration_rules_out_is_not_named_and_the_rest_is_as_before() -> None:
    after = {"policy/entropy": 0.9}
    assert named(after, UNCLIPPED) == ["tolerant_clip", "entropy_explosion"]
    assert named(after, UNCLIPPED, suspects=USUAL) == ["entropy_explosion"]
    assert named(after, suspects=USUAL) == named(after)


def test_what_the_configuration_makes_possible_comes_before_what_speaks_as_loud() -> None:
    slightly_apart = {"mismatch/k3_kl": 0.005}
    late = Suspects(possible={"mismatch": "the sampler's weights are 8 steps old"})
    assert named(slightly_apart, RISING) == ["learning_rate", "mismatch"]
    found = suspicions(slightly_apart, RISING, suspects=late)
    assert [one.mechanism for one in found] == ["mismatch", "learning_rate"]
    assert found[0].because == (
        "mismatch/k3_kl is 0.005, 0.001 in the first record",
        "as configured, the sampler's weights are 8 steps old",
    )


def test_what_is_only_possible_is_not_named_while_its_own_numbers_are_quiet() -> None:
    assert named({}, suspects=TOLERANT) == []
    assert named({}, RISING, suspects=TOLERANT) == ["learning_rate"]


def test_a_configured_circumstance_that_no_number_shows_is_named_where_updates_grow() -> None:
    found = suspicions({}, RISING | NO_BAND, suspects=TOLERANT)
    assert [one.mechanism for one in found] == ["tolerant_clip", "learning_rate"]
    assert found[0].because == (*found[1].because, "as configured, the clip is wide")
    assert named({}, NO_BAND, suspects=TOLERANT) == []
    assert named({}, RISING | NO_BAND) == ["learning_rate"]


def test_a_number_that_is_none_stays_the_first_cause_whatever_is_configured() -> None:
    bonus = Suspects(possible={"entropy_explosion": "an entropy bonus"})
    moved = part("policy/entropy", 60), part("optim/grad_norm", 68, observed=math.nan)
    found = named({"policy/entropy": 0.9}, None, *moved, suspects=bonus)
    assert found == ["numerical", "entropy_explosion"]


NUMBERS = st.sampled_from((0.0, 1e-300, 0.5, 1.0, -1.0, 1e300, math.nan, math.inf, -math.inf))


KEYS = st.lists(st.sampled_from(sorted(RULES)), unique=True)


@given(
    st.lists(st.dictionaries(st.sampled_from(ASKED), NUMBERS), max_size=12),
    st.integers(0, 12),
    KEYS,
    KEYS,
)
def test_whatever_is_logged_and_configured_naming_answers(
    rows: list[dict[str, float]], since: int, ruled_out: list[str], possible: list[str]
) -> None:
    history = History(ASKED)
    for step, values in enumerate(rows):
        history.update(Record(step, values=values))
    evidence = [part(name, since, observed=row[name]) for row in rows for name in row]
    suspects = Suspects(dict.fromkeys(ruled_out, "why"), dict.fromkeys(possible, "why"))
    found = likely(evidence, history, since, suspects)
    assert len(found) <= MOST
    assert not {one.mechanism for one in found} & set(ruled_out)
    configured = {one.mechanism for one in found if "as configured, why" in one.because}
    assert configured == {one.mechanism for one in found} & set(possible)


def test_no_more_than_the_likeliest_few_are_named() -> None:
    everything = {"policy/entropy": 0.9, "policy/valid_frac": 0.2, "length/mean": 900.0}
    assert len(named(everything | {"mismatch/k3_kl": 0.1, "ratio/clip_frac": 0.0})) == MOST


def test_the_panel_names_mechanisms_at_its_alarms_and_none_where_only_the_metric_is_broken() -> (
    None
):
    panel, alarms = Panel(), list[Alarm]()
    for step in range(90):
        late = max(0, step - CHANGE)
        values = {
            "reward/mean": 0.5 + 0.01 * math.sin(step),
            "policy/entropy": 0.3 * (1 + 0.03 * math.sin(2.4 * step)) * math.exp(0.2 * late),
            "optim/grad_norm": 0.5 * (1 + 0.03 * math.sin(1.7 * step)),
            "policy/valid_frac": 0.95,
        }
        alarms += panel.update(Record(step, values=values))
    stuck = next(alarm for alarm in alarms if alarm.detector == "stuck")
    moved = next(alarm for alarm in alarms if "policy/entropy" in alarm.signals)
    assert stuck.suspicions == ()
    assert moved.suspicions[0].mechanism == "entropy_explosion"
