"""The questions that a chat model is asked, and what its answers are paid."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from random import Random

import pytest

from benchmarks.trl_chat_settings import CHATS
from benchmarks.trl_runs import GROUP, arguments_of

needs_trl = pytest.mark.skipif(
    importlib.util.find_spec("trl") is None, reason="TRL is not installed (pip install trl)"
)

ORDERS: dict[str, Callable[[list[str]], list[str]]] = {
    "Sort": sorted,
    "Largest": lambda numbers: [max(numbers, key=int)],
    "Reverse": lambda words: words[::-1],
}


@needs_trl
def test_every_question_follows_one_of_its_kind_that_is_answered_right():
    from benchmarks.trl_chat import MARK, questions

    prompts, answers = questions(200, Random(0))
    kinds: set[str] = set()
    for turns, answer in zip(prompts, answers, strict=True):
        assert [turn["role"] for turn in turns] == ["system", "user", "assistant", "user"]
        shown, said, asked = (turn["content"] for turn in turns[1:])
        for question, right in ((shown, said.removeprefix(f"{MARK} ")), (asked, answer)):
            kind, _, words = question.partition(": ")
            assert right == " ".join(ORDERS[kind](words.split()))
        assert shown.split(":")[0] == asked.split(":")[0]
        kinds.add(f"{asked.split(':')[0]} {len(asked.split()) - 1}")
    assert kinds == {"Sort 3", "Sort 5", "Largest 4", "Reverse 3"}


@needs_trl
def test_the_rewards_of_an_answer():
    from benchmarks.trl_chat import accuracy_reward, format_reward, length_reward

    said = [
        "Answer: 1 2 3",  # right
        "They are few. Answer: 1 2 3",  # right, after four words
        "Answer: 1 3 2",  # in the form that was asked for
        "1 2 3",  # not in that form
        "Answer: 9 Answer: 1 2 3",  # two answers are none
    ]
    completions = [[{"role": "assistant", "content": text}] for text in said]
    assert accuracy_reward(completions, ["1 2 3"] * 5) == [1, 1, 0, 0, 0]
    assert format_reward(completions) == [1, 1, 1, 0, 0]
    assert length_reward(completions) == [4 / 24, 7 / 24, 4 / 24, 3 / 24, 6 / 24]


@pytest.mark.parametrize("setting", CHATS, ids=lambda setting: setting.name)
def test_a_batch_is_cut_into_whole_passes_and_whole_groups(setting):
    arguments = arguments_of(setting, 0)
    rows = arguments["per_device_train_batch_size"] * arguments["steps_per_generation"]
    passes = arguments["gradient_accumulation_steps"]
    assert rows == setting.rows
    assert rows % GROUP == 0
    assert passes * setting.updates == arguments["steps_per_generation"]
    assert arguments["max_steps"] == setting.records * setting.updates * setting.iterations
