"""Recipes: complete, and changed by name, strictly."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from collapse_lab.trainers.algorithms import ALGORITHMS
from collapse_lab.trainers.recipes import RECIPES, Recipe, recipe


@pytest.mark.parametrize("task", RECIPES)
def test_a_tasks_algorithms_share_everything_but_the_algorithm(task: str):
    made = [asdict(RECIPES[task](name, 0)) | {"algorithm": ""} for name in ALGORITHMS]
    assert all(other == made[0] for other in made)


def test_settings_are_read_by_the_type_of_their_field():
    made = recipe(
        "household", "sampo", 3, ("lr=1e-3", "steps=20", "penalised=action", "cloning.success=.4")
    )
    assert (made.seed, made.lr, made.steps, made.penalised) == (3, 1e-3, 20, "action")
    assert made.cloning.success == 0.4
    assert made.cloning.episodes == Recipe(task="", algorithm="").cloning.episodes


def test_the_rate_grows_and_falls_as_asked():
    made = recipe("household", "grpo", settings=("steps=100", "lr=1", "warm_up=10"))
    assert [made.rate(step) for step in (0, 4, 9, 99)] == [0.1, 0.5, 1.0, 1.0]
    linear = recipe("household", "grpo", settings=("steps=100", "lr=1", "decay=linear"))
    assert linear.rate(75) == pytest.approx(0.25)
    cosine = recipe("household", "grpo", settings=("steps=100", "lr=1", "decay=cosine"))
    assert cosine.rate(50) == pytest.approx(0.5)
    assert cosine.rate(75) == pytest.approx(0.1464, abs=1e-4)


def test_a_column_can_be_replaced():
    made = recipe("household", "cispo", 0, ("clip=sequence_mask(clipped_weight)",))
    assert made.choices().clip == ALGORITHMS["cispo_sm"].clip
    assert made.choices().advantage == ALGORITHMS["cispo"].advantage


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("rate=1", "no setting 'rate'; there are task, algorithm, seed"),
        ("lr=fast", "lr=fast: a number is needed"),
        ("lr=nan", "lr=nan: it must be finite"),
        ("lr=-1", "must be finite and not negative"),
        ("steps=1.5", "steps=1.5: a whole number is needed"),
        ("penalised=words", "choose one of format, action"),
        ("lr", "'lr' is not NAME=VALUE"),
        ("sampler_bits=1", "take 2 or more"),
        ("lr.x=1", "'lr' has no parts"),
        ("cloning=1", "'cloning' is set part by part: cloning.episodes"),
        ("cloning.x=1", "no setting 'x'; there are episodes"),
        ("clip=nothing", "possible are"),
        ("sampler=sglang", "choose one of cached, vllm"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(setting: str, complaint: str):
    with pytest.raises(ValueError, match=complaint):
        recipe("household", "grpo", 0, (setting,))


def test_a_tiny_decoder_is_refused_a_task_with_an_open_vocabulary():
    with pytest.raises(ValueError, match=r"alfworld speaks freely.* set policy to the folder"):
        recipe("alfworld", "grpo")
    assert recipe("alfworld", "grpo", 0, ("policy=there",)).policy == "there"


def test_unknown_tasks_and_algorithms_are_refused_with_those_there_are():
    with pytest.raises(ValueError, match="no task 'chess'; there are household, sokoban"):
        recipe("chess", "grpo")
    with pytest.raises(ValueError, match="no algorithm 'ppo'; there are grpo"):
        recipe("household", "ppo")
