"""The peers are the real packages in their own environment; the rules are worked out by hand."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks import peers, simple_rules
from benchmarks.peers import PeerProcess, translate
from collapse_lab.records import Record
from collapse_lab.signals import SIGNALS

needs_peers = pytest.mark.skipif(
    not peers.available(), reason="no peers: `python -m benchmarks.peers --install` makes them"
)


def quiet_run(length: int = 120, **changes: dict[int, float]) -> list[Record]:
    """A run with even noise; `changes` overwrite a signal (`/` written `__`) at some points."""
    noise = np.random.default_rng(0).normal(size=(length, 4))
    records: list[Record] = []
    for point in range(length):
        reward, entropy, kl, grad = noise[point]
        values = {
            "reward/mean": 0.5 + 0.01 * reward,
            "policy/entropy": 2.0 + 0.01 * entropy,
            "kl/ref": 0.05 + 0.002 * kl,
            "optim/grad_norm": 1.0 + 0.05 * grad,
            "loss/total": 0.01,
        }
        for name, points in changes.items():
            if point in points:
                values[name.replace("__", "/")] = points[point]
        records.append(Record(point + 1, values=values))
    return records


def test_every_signal_that_a_peer_is_given_is_in_the_vocabulary():
    given = {name for keys in peers.KEYS.values() for names in keys.values() for name in names}
    assert given <= SIGNALS.keys()


def test_a_peer_gets_its_own_names_and_the_first_signal_that_fills_them():
    values = {"kl/old": 0.2, "policy/entropy": 0.9, "mismatch/k3_kl": 3.0}
    assert translate("rlwatch", values) == {"kl_divergence": 0.2, "entropy": 0.9}
    assert translate("rlwatch", values | {"kl/ref": 0.1})["kl_divergence"] == 0.1


def test_reward_functions_reach_the_peers_that_read_them():
    values = {"rewards/format/mean": 0.5}
    assert translate("rldoctor", values) == {"rewards/format/mean": 0.5}
    assert translate("rlprobe", values) == {"component:format": 0.5}
    assert translate("rlwatch", values) == {}


@needs_peers
def test_rlwatch_sees_a_nan_loss_at_its_record():
    with PeerProcess() as process:
        found = process.run("rlwatch", quiet_run(loss__total={60: math.nan}))
    assert ("critical", 60) in [
        (one.severity, one.point) for one in found if one.name == "loss_nan"
    ]


@needs_peers
def test_rldoctor_looks_first_at_its_seventy_fifth_record():
    far = dict.fromkeys(range(20, 120), 5.0)
    with PeerProcess() as process:
        found = process.run("rldoctor", quiet_run(kl__ref=far))
        assert process.run("rldoctor", quiet_run(74, kl__ref=far)) == []
    assert 74 in [one.point for one in found if one.name == "kl_drift"]


@needs_peers
def test_rlprobe_finds_a_kl_blowup_and_nothing_in_a_quiet_run():
    blowup = {point: 0.05 * 1.08 ** (point - 40) for point in range(40, 120)}
    with PeerProcess() as process:
        found = process.run("rlprobe", quiet_run(kl__ref=blowup))
        assert process.run("rlprobe", quiet_run()) == []
    assert "KL_BLOWUP" in {one.name for one in found}


@needs_peers
def test_a_thinned_log_reports_points_of_the_whole_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(peers, "LONGEST", 100)
    with PeerProcess() as process:
        found = process.run("rldoctor", quiet_run(200, kl__ref=dict.fromkeys(range(40, 200), 5.0)))
    assert 2 * 74 in [one.point for one in found if one.name == "kl_drift"]


@needs_peers
@pytest.mark.parametrize("peer", [peer for peer in peers.KEYS if peer not in peers.FIXED])
def test_thresholds_moved_far_out_leave_a_peer_silent(peer: str):
    far = dict.fromkeys(range(60, 120), 9.0)
    with PeerProcess() as process:
        records = quiet_run(kl__ref=far, loss__total=far, optim__grad_norm=far)
        assert process.run(peer, records, scale=0.125)
        assert process.run(peer, records, scale=1e15) == []


@needs_peers
def test_stabilityguard_alarms_beyond_ten_times_its_moving_average():
    """The spike is 1 % of the average that it is held against: 12 / 1.11 = 10.8."""
    records = [Record(step, values={"optim/grad_norm": 1.0}) for step in range(40)]
    records[30] = Record(30, values={"optim/grad_norm": 12.0})
    with PeerProcess() as process:
        assert [one.point for one in process.run("stabilityguard", records)] == [30]
        assert process.run("stabilityguard", records, scale=1.1) == []


@needs_peers
def test_losslint_tells_of_a_loss_that_ends_above_its_beginning_once():
    """Divergence is a last tenth a quarter above the first, from 20 records on."""
    losses = [1.0] * 30 + [1.3] * 20
    records = [Record(step, values={"loss/total": loss}) for step, loss in enumerate(losses)]
    with PeerProcess() as process:
        found = process.run("losslint", records)
        assert [(one.severity, one.name) for one in found] == [("critical", "divergence")]
        assert 30 < found[0].point < 40
        assert process.run("losslint", records, scale=1.5) == []


@needs_peers
def test_trainscope_sums_up_how_far_the_loss_is_above_its_median():
    """A jump of 4 spreads leaves 3 after the slack of 1; the second reaches the limit of 6."""
    jump = 4.01 * 1.4826
    losses = [-1.0, 0.0, 1.0] * 14 + [jump, jump]
    records = [Record(step, values={"loss/pg": loss}) for step, loss in enumerate(losses)]
    with PeerProcess() as process:
        assert [one.point for one in process.run("trainscope", records)] == [43]


def test_the_reward_rule_waits_for_a_drop_to_sixty_percent_of_the_best():
    rewards = np.array([1.0] * 20 + [0.0] * 20)
    average, drop_at = 1.0, 20
    while (average := 0.8 * average) >= 0.6:
        drop_at += 1
    alarms = simple_rules.beyond(simple_rules.reward_drop({"reward/mean": rewards}))
    assert alarms[0] == drop_at == 22


def test_the_reward_rule_is_silent_on_rewards_that_never_were_positive():
    score = simple_rules.reward_drop({"reward/mean": np.linspace(-1, -9, 50)})
    assert simple_rules.beyond(score) == []


def test_the_reward_rule_scores_one_at_sixty_percent_of_the_best():
    rewards = np.array([1.0] * 20 + [0.0])
    score = simple_rules.reward_drop({"reward/mean": rewards})
    assert score[-1] == pytest.approx((1 - 0.8) / (1 - 0.6))


def test_the_reward_rule_may_look_at_right_answers_too():
    series = {"reward/mean": np.full(21, 2.0), "reward/accuracy": np.array([1.0] * 20 + [0.0])}
    assert simple_rules.either_drop(series)[-1] == pytest.approx((1 - 0.8) / (1 - 0.6))
    assert not simple_rules.reward_drop(series).any()
    del series["reward/accuracy"]
    assert not simple_rules.either_drop(series).any()


def test_three_sigma_alarms_at_the_outlier_and_leaves_constants_alone():
    wobble = np.tile([1.0, -1.0], 20)
    wobble[30] = 4.0
    series = {"a": wobble, "b": np.full(40, 0.1)}
    assert simple_rules.beyond(simple_rules.three_sigma(series)) == [30]


def test_three_sigma_steps_over_missing_values():
    wobble = np.tile([1.0, -1.0], 20)
    wobble[[12, 13]] = math.nan
    wobble[30] = 4.0
    assert simple_rules.beyond(simple_rules.three_sigma({"a": wobble})) == [30]


def test_rivers_detectors_see_a_level_shift_and_not_a_level():
    shifted = np.concatenate([np.zeros(200), np.ones(200)])
    for rule in (simple_rules.adwin, simple_rules.page_hinkley):
        assert min(rule({"a": shifted})) >= 200
        assert rule({"a": np.zeros(400)}) == []


def test_raw_series_hold_the_signals_that_can_go_bad_and_mark_what_is_missing():
    records = [Record(1, values={"policy/entropy": 1.0}), Record(2, values={"optim/lr": 1.0})]
    series = simple_rules.raw_series(records)
    assert list(series) == ["policy/entropy"]
    np.testing.assert_array_equal(series["policy/entropy"], [1.0, math.nan])
