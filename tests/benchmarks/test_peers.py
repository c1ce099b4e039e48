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


def test_the_reward_rule_waits_for_a_drop_to_sixty_percent_of_the_best():
    rewards = np.array([1.0] * 20 + [0.0] * 20)
    average, drop_at = 1.0, 20
    while (average := 0.8 * average) >= 0.6:
        drop_at += 1
    assert simple_rules.reward_drop({"reward/mean": rewards})[0] == drop_at == 22


def test_the_reward_rule_is_silent_on_rewards_that_never_were_positive():
    assert simple_rules.reward_drop({"reward/mean": np.linspace(-1, -9, 50)}) == []


def test_three_sigma_alarms_at_the_outlier_and_leaves_constants_alone():
    wobble = np.tile([1.0, -1.0], 20)
    wobble[30] = 4.0
    assert simple_rules.three_sigma({"a": wobble, "b": np.full(40, 0.1)}) == [30]


def test_three_sigma_steps_over_missing_values():
    wobble = np.tile([1.0, -1.0], 20)
    wobble[[12, 13]] = math.nan
    wobble[30] = 4.0
    assert simple_rules.three_sigma({"a": wobble}) == [30]


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
