"""What real configurations rule out and make possible: TRL's own, verl's own, our recipes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.configured.frameworks import setup_of
from collapse_lab.configured.suspects import NOTHING, POSSIBLE, RULED_OUT, Suspects, suspects_of
from collapse_lab.mechanisms import MECHANISMS
from collapse_lab.store import find_runs, read_meta
from collapse_lab.trainers.launch import meta
from collapse_lab.trainers.recipes import recipe

Verl = Callable[..., dict[str, Any]]
DATA = Path(__file__).parents[2] / "data"


def trl(**arguments: Any) -> dict[str, Any]:
    """What the callback records: everything that TRL's own class makes of these arguments."""
    config = pytest.importorskip("trl.trainer.grpo_config").GRPOConfig
    sizes = {"per_device_train_batch_size": 8, "num_generations": 8}
    on_a_cpu = {"use_cpu": True, "bf16": False, "report_to": "none"}
    return config("unused", **(sizes | on_a_cpu | arguments)).to_dict()


def ours(algorithm: str, *settings: str) -> dict[str, Any]:
    return meta(recipe("household", algorithm, 0, settings))["config"]


def recorded() -> list[dict[str, Any]]:
    """The configurations of every run in the repository."""
    roots = [root for root in DATA.iterdir() if root.is_dir()]
    return [read_meta(folder).get("config") or {} for root in roots for folder in find_runs(root)]


def suspects(config: Any) -> tuple[set[str], set[str]]:
    found = suspects_of(config)
    return set(found.ruled_out), set(found.possible)


def test_trl_as_it_comes_is_on_policy_clips_as_usual_and_samples_with_the_policy_itself() -> None:
    assert suspects(trl()) == ({"staleness", "mismatch", "tolerant_clip"}, set())


def test_trl_with_a_clip_that_keeps_every_gradient_may_be_too_tolerant() -> None:
    cispo = suspects_of(trl(loss_type="cispo", epsilon_high=5.0))
    assert "tolerant_clip" not in cispo.ruled_out
    assert cispo.possible["tolerant_clip"] == (
        "tokens beyond the band keep their gradient (cispo, epsilon 0.2, epsilon_high 5)"
    )
    assert "tolerant_clip" in suspects_of(trl(loss_type="sapo")).possible
    assert "tolerant_clip" in suspects_of(trl(epsilon=0.9, epsilon_high=10.0)).possible


def test_clip_higher_is_usual_and_a_bound_of_a_half_is_neither_usual_nor_wide() -> None:
    assert "tolerant_clip" in suspects_of(trl(epsilon_high=0.28)).ruled_out
    between = suspects(trl(epsilon_high=0.7))
    assert all("tolerant_clip" not in part for part in between)


def test_a_mask_of_what_has_become_rare_takes_the_suspicion_off_a_tolerant_clip() -> None:
    masked = suspects(trl(loss_type="cispo", epsilon_high=5.0, off_policy_mask_threshold=0.5))
    assert all("tolerant_clip" not in part for part in masked)


def test_trl_counts_updates_by_the_slices_of_a_batch_that_are_not_accumulated() -> None:
    slices = {"steps_per_generation": 8, "gradient_accumulation_steps": 4, "num_iterations": 3}
    setup = setup_of(trl(**slices))
    assert setup is not None and (setup.passes, setup.updates) == (3, 6)
    why = suspects_of(trl(**slices)).possible["staleness"]
    assert why == "3 passes are made over every batch of rollouts"
    # a few updates in one pass are what nearly everybody makes: nothing is said of them
    few = suspects(trl(steps_per_generation=4))
    assert all("staleness" not in part for part in few)
    assert "staleness" in suspects_of(trl(steps_per_generation=16)).possible


def test_trl_samples_with_an_engine_of_its_own_or_at_another_temperature() -> None:
    engine = suspects(trl(use_vllm=True))
    assert all("mismatch" not in part for part in engine)
    hot = suspects_of(trl(temperature=0.9, generation_kwargs={"temperature": 1.5, "top_p": 0.8}))
    assert hot.possible["mismatch"] == (
        "rollouts are drawn at temperature 1.5 and learned at 0.9; "
        "the sampler keeps the top 0.8 of the probability"
    )
    assert "mismatch" in suspects_of(trl(temperature=0.7)).ruled_out


def test_trl_with_a_bonus_or_a_penalty_on_entropy() -> None:
    assert "entropy_explosion" in suspects_of(trl(entropy_coef=0.01)).possible
    adaptive = suspects_of(trl(use_adaptive_entropy=True, entropy_target=0.6)).possible
    assert adaptive["entropy_explosion"] == "an entropy bonus grows up to 0.6 nats"
    assert "entropy_collapse" in suspects_of(trl(entropy_coef=-0.3)).possible


def test_several_rewards_may_be_played_against_each_other() -> None:
    assert "reward_hacking" in suspects_of(trl(reward_weights=[1.0, 0.1])).possible
    assert "reward_hacking" not in suspects_of(trl(reward_weights=[1.0, 0.0])).possible


def test_trl_s_asynchronous_trainer_samples_while_it_trains() -> None:
    module = pytest.importorskip("trl.experimental.async_grpo.async_grpo_config")
    config = module.AsyncGRPOConfig("unused", use_cpu=True, bf16=False, report_to="none").to_dict()
    ruled_out, possible = suspects(config)
    assert "staleness" in possible and "staleness" not in ruled_out
    assert "mismatch" in ruled_out  # the ratio starts from what the sampler said


def test_verl_as_it_comes_makes_four_updates_of_a_batch_with_an_engine_of_its_own(
    verl: Verl,
) -> None:
    setup = setup_of(verl())
    assert setup is not None and (setup.passes, setup.updates) == (1, 4)
    assert suspects(verl()) == ({"tolerant_clip"}, set())


def test_verl_with_one_mini_batch_is_on_policy_unless_it_samples_while_it_trains(
    verl: Verl,
) -> None:
    once = {"data.train_batch_size": 256}
    assert "staleness" in suspects_of(verl(**once)).ruled_out
    asynchronous: list[Mapping[str, Any]] = [
        {"trainer.use_v1": True, "trainer.v1.trainer_mode": "separate_async"},
        {"async_training.staleness_threshold": 0.1},
        {"rollout.nnodes": 1},
    ]
    for more in asynchronous:
        assert {"staleness", "mismatch"} <= suspects(verl(**once, **more))[1]


def test_verl_s_losses_and_samplers(verl: Verl) -> None:
    actor = "actor_rollout_ref.actor."
    losses = {
        mode: suspects(verl(**{f"{actor}policy_loss.loss_mode": mode}))
        for mode in ("vanilla", "gspo", "cispo", "sapo", "kl_cov")
    }
    assert {mode for mode, (out, _) in losses.items() if "tolerant_clip" in out} == {
        "vanilla", "gspo",
    }  # fmt: skip
    assert {mode for mode, (_, may) in losses.items() if "tolerant_clip" in may} == {
        "cispo", "sapo",
    }  # fmt: skip
    passes = suspects_of(verl(**{f"{actor}ppo_epochs": 4})).possible
    assert passes["staleness"] == "4 passes are made over every batch of rollouts"
    assert "entropy_explosion" in suspects_of(verl(**{f"{actor}entropy_coeff": 0.01})).possible
    fp8 = suspects_of(verl(**{"actor_rollout_ref.rollout.quantization": "fp8"})).possible
    assert fp8["mismatch"] == "the sampler's weights are quantised (fp8)"
    bypass = verl(**{"algorithm.rollout_correction.bypass_mode": True})
    assert "mismatch" in suspects_of(bypass).ruled_out


def test_the_same_configuration_flat_is_read_as_the_nested_one_is() -> None:
    flat = {
        "data.train_batch_size": 1024,
        "actor_rollout_ref.actor.ppo_mini_batch_size": 32,
        "actor_rollout_ref.actor.ppo_epochs": 1,
        "actor_rollout_ref.actor.clip_ratio_low": 0.2,
        "actor_rollout_ref.actor.clip_ratio_high": 0.28,
    }
    nested: dict[str, Any] = {
        "data": {"train_batch_size": 1024},
        "actor_rollout_ref": {
            "actor": {
                "ppo_mini_batch_size": "32",
                "ppo_epochs": 1,
                "clip_ratio_low": 0.2,
                "clip_ratio_high": 0.28,
            }
        },
    }
    assert suspects_of(flat) == suspects_of(nested)
    assert suspects_of(flat).possible == {
        "staleness": "32 updates are made of every batch of rollouts"
    }


@pytest.mark.parametrize(
    ("algorithm", "settings", "ruled_out", "possible"),
    [
        ("grpo", (), {"tolerant_clip", "mismatch"}, set()),
        ("sampo", (), {"tolerant_clip", "mismatch"}, set()),
        ("cispo", (), {"mismatch"}, {"tolerant_clip"}),
        ("sapo", (), {"mismatch"}, {"tolerant_clip"}),
        ("cispo_sm", (), {"mismatch"}, set()),
        ("grpo", ("mini_batches=1",), {"tolerant_clip", "mismatch", "staleness"}, set()),
        ("grpo", ("epochs=2",), {"tolerant_clip", "mismatch"}, {"staleness"}),
        ("grpo", ("sampler_lag=8",), {"tolerant_clip"}, {"staleness", "mismatch"}),
        ("grpo", ("sampler_lag=8", "old_log_probs=sampler"), {"tolerant_clip", "mismatch"},
         {"staleness"}),
        ("grpo", ("sampler_bits=4",), {"tolerant_clip"}, {"mismatch"}),
        ("grpo", ("sampler=vllm",), {"tolerant_clip"}, set()),
        ("grpo", ("temperature=0.6",), {"tolerant_clip"}, {"mismatch", "entropy_collapse"}),
        ("grpo", ("entropy=0.03",), {"tolerant_clip", "mismatch"}, {"entropy_explosion"}),
        ("grpo", ("proxy=60", "proxied=length"), {"tolerant_clip", "mismatch"},
         {"length", "reward_hacking"}),
        ("grpo", ("proxy=40", "proxied=turns"), {"tolerant_clip", "mismatch"},
         {"reward_hacking"}),
    ],
)  # fmt: skip
def test_our_recipes(
    algorithm: str, settings: tuple[str, ...], ruled_out: set[str], possible: set[str]
) -> None:
    assert suspects(ours(algorithm, *settings)) == (ruled_out, possible)


def test_a_clip_by_second_moment_has_no_bounds_and_is_not_called_wide() -> None:
    found = suspects(ours("grpo", "clip=second_moment"))
    assert all("tolerant_clip" not in part for part in found)


def test_nothing_is_both_ruled_out_and_possible_in_any_recorded_run() -> None:
    found = [suspects_of(config) for config in recorded()]
    assert sum(one != NOTHING for one in found) > 200
    assert all(not set(one.ruled_out) & set(one.possible) for one in found)


def test_what_a_run_was_made_for_is_never_read() -> None:
    """Only TRL's own arguments, and of our recipes not even the algorithm's name."""
    labels = {"failure": "staleness", "setting": "tolerant-cispo", "hidden": True, "label": "x"}
    for config in recorded():
        found = suspects_of(config)
        assert suspects_of(config | labels) == found
        if "arguments" in config:
            assert suspects_of({"arguments": config["arguments"]}) == found
        unnamed = {k: v for k, v in config.items() if k not in ("algorithm", "task", "seed", "lr")}
        assert suspects_of(unnamed) == found


def test_the_tables_know_only_mechanisms_that_have_a_name() -> None:
    assert (RULED_OUT.keys() | POSSIBLE.keys()) <= MECHANISMS.keys()


@pytest.mark.parametrize(
    "config", [None, [], 7, "", {}, {"lr": 1e-6, "epsilon": 0.2, "loss_type": "cispo"}]
)
def test_a_configuration_of_no_known_framework_says_nothing(config: Any) -> None:
    assert suspects_of(config) == Suspects()


def test_a_configuration_that_contains_itself_is_read_to_its_end() -> None:
    endless: dict[str, Any] = dict(trl())
    endless |= {"again": endless, "and_again": endless}
    assert "mismatch" in suspects_of(endless).ruled_out


def test_settings_that_refer_to_nothing_are_left_open() -> None:
    omegaconf = pytest.importorskip("omegaconf")
    broken = omegaconf.OmegaConf.create({"mini": "${nowhere}", "more": 1})
    assert "mismatch" in suspects_of(trl() | {"broken": broken}).ruled_out


JUNK = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.floats())


@given(st.data())
def test_no_value_of_any_setting_makes_it_raise(data: st.DataObject) -> None:
    base = data.draw(st.sampled_from([RECORDED_TRL, RECORDED_RECIPE]))
    names = data.draw(st.lists(st.sampled_from(sorted(base)), max_size=4))
    broken = base | {name: data.draw(JUNK) for name in names}
    found = suspects_of(broken)
    assert (found.ruled_out.keys() | found.possible.keys()) <= MECHANISMS.keys()


RECORDED_TRL: dict[str, Any] = read_meta(DATA / "trl" / "bnpo-2")["config"]["arguments"]
RECORDED_RECIPE: dict[str, Any] = asdict(recipe("household", "cispo")) | {
    "choices": {"clip": "ClippedWeight(low=1.0, high=0.2)"}
}
