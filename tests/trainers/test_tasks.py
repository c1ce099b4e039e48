"""Every task keeps the protocol; each task's own rules."""

from __future__ import annotations

from importlib.util import find_spec
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collapse_lab.trainers.tasks import GENERATED
from collapse_lab.trainers.tasks.alfworld import ALFWorld
from collapse_lab.trainers.tasks.answers import MARKS, action_in, answer
from collapse_lab.trainers.tasks.base import Episodes, Task, task_seed, vocabulary_words
from collapse_lab.trainers.tasks.calculator import CannotCompute, compute
from collapse_lab.trainers.tasks.household import Household
from collapse_lab.trainers.tasks.maths import Maths
from collapse_lab.trainers.tasks.sokoban import Sokoban
from collapse_lab.trainers.tasks.web_shop import WebShop

SEEDS = range(150)
every_task = pytest.mark.parametrize("task", GENERATED.values(), ids=list(GENERATED))


def play_expert(game: Task, seed: int) -> float:
    """Score at the end of an episode that the expert plays."""
    game.reset(seed)
    while True:
        step = game.step(answer(*game.expert()))
        assert step.valid_action
        if step.done:
            return step.score


def begun(task: type[Task], kind: str) -> Task:
    game = task()
    seed = 0
    while game.reset(seed) and game.kind != kind:
        seed += 1
    return game


@every_task
def test_the_expert_solves_every_episode_within_the_limit(task: type[Task]):
    assert {play_expert(task(), seed) for seed in SEEDS} == {1.0}


@every_task
def test_every_kind_appears(task: type[Task]):
    game = task()
    kinds = {game.kind for seed in SEEDS if game.reset(seed)}
    assert kinds == set(task.kinds)


@every_task
def test_the_vocabulary_is_closed_under_any_play(task: type[Task]):
    words, random, game = set(vocabulary_words(task)), Random(0), task()
    for seed in SEEDS:
        text = game.reset(seed).text
        done = False
        while not done:
            response = answer(game.expert()[0], random.choice(game.admissible()))
            assert set(text.split()) <= words
            assert set(response.split()) <= words
            assert len(response.split()) + 2 <= task.response_limit  # an opener, an end token
            step = game.step(response)
            text, done = step.observation.text, step.done


@every_task
def test_prompts_are_short(task: type[Task]):
    game = task()
    lengths = [len(game.reset(seed).text.split()) for seed in SEEDS]
    assert max(lengths) <= 26


@every_task
@given(seed=st.integers(0, 10**9))
def test_a_seed_names_an_episode(task: type[Task], seed: int):
    first, second = task(), task()
    second.reset(seed + 1)
    assert first.reset(seed) == second.reset(seed)
    assert first.expert() == second.expert()


@every_task
def test_an_invalid_turn_costs_a_turn_and_changes_nothing_else(task: type[Task]):
    game = task()
    before = game.reset(3)
    for response in ("", "go", answer("now", "fly moon"), answer("", "")):
        step = game.step(response)
        assert not step.valid_action
        assert step.reward == 0
        assert step.observation.anchor == before.anchor
    assert game.turn == 4


@every_task
def test_episodes_side_by_side_do_not_share_state(task: type[Task]):
    together = Episodes(task, 2)
    together.reset([5, 5])
    (step,) = together.step([1], [answer(*together.games[1].expert())])
    alone = task()
    alone.reset(5)
    assert step == alone.step(answer(*alone.expert()))
    assert together.games[0].turn == 0


@pytest.mark.skipif(find_spec("alfworld") is not None, reason="ALFWorld is installed here")
def test_a_task_without_its_package_says_what_to_install():
    with pytest.raises(ValueError, match="pip install alfworld, then alfworld-download"):
        ALFWorld()


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_training_and_held_out_seeds_never_meet(train: int, held_out: int):
    assert task_seed("train", train) != task_seed("held_out", held_out)
    assert task_seed("train", train) != task_seed("train", train + 1 + held_out)


@pytest.mark.parametrize(
    ("response", "action"),
    [
        ("<think> so </think> <action> go desk </action>", "go desk"),
        ("<think> </think> <action> go desk </action>", "go desk"),
        ("<think> so </think> go desk", None),
        ("<think> so </think> so <action> go desk </action>", None),
        ("so <think> so </think> <action> go desk </action>", None),
        ("<think> so </think> <action> go desk </action> so", None),
        ("<action> go desk </action> <think> so </think>", None),
        ("<think> so </think> <think> so </think> <action> go desk </action>", None),
        ("", None),
    ],
)
def test_format_takes_each_mark_once_in_order_and_nothing_around(response: str, action: str | None):
    assert action_in(response) == action


@given(st.lists(st.sampled_from([*MARKS, "so", "go"]), max_size=12))
def test_any_words_can_be_judged(words: list[str]):
    action = action_in(" ".join(words))
    assert action is None or words[-1] == "</action>"


def test_a_valid_format_with_an_inadmissible_action_is_told_apart():
    game = Household()
    game.reset(0)
    step = game.step(answer("so", "take sink"))
    assert (step.valid_format, step.valid_action) == (True, False)


def test_success_is_worth_ten_and_ends_the_episode():
    game = Household()
    game.reset(0)
    rewards = []
    done = False
    while not done:
        step = game.step(answer(*game.expert()))
        rewards.append(step.reward)
        done = step.done
    assert rewards[-1] == 10 and set(rewards[:-1]) == {0}


def test_household_asks_for_the_treatment_before_the_delivery():
    game = begun(Household, "heat")
    assert isinstance(game, Household)
    while game.expert()[1].split()[0] != "heat":
        action = game.expert()[1]
        game.step(answer("so", f"go {game.target}" if action == "go microwave" else action))
        if game.place == game.target and game.held is not None:
            break
    step = game.step(answer("so", f"put {game.wanted}"))
    assert step.valid_action
    assert step.score == 0
    assert game.expert()[1] == f"take {game.wanted}"  # it is not done with: heat it after all


def test_household_two_counts_both():
    game = begun(Household, "two")
    scores = []
    done = False
    while not done:
        step = game.step(answer(*game.expert()))
        scores.append(step.score)
        done = step.done
    assert sorted(set(scores)) == [0, 0.5, 1]


def test_household_anchor_leaves_out_memory():
    game = Household()
    game.reset(0)
    there, other = [place for place in game.unseen if place != game.target][:2]
    first = game.step(answer("so", f"go {there}")).observation
    game.step(answer("so", f"go {other}"))
    second = game.step(answer("so", f"go {there}")).observation
    assert first.anchor == second.anchor
    assert first.text != second.text


def test_sokoban_boxes_stop_at_walls():
    game = Sokoban()
    game.reset(0)
    game.floor = frozenset((row, column) for row in range(4) for column in range(4))
    game.goal, game.player, game.box = (0, 0), (1, 2), (1, 3)
    step = game.step(answer("so", "right"))
    assert (game.player, game.box) == ((1, 2), (1, 3))
    assert step.observation.text.endswith("blocked")
    game.step(answer("so", "left"))
    assert (game.player, game.box) == ((1, 1), (1, 3))


def test_sokoban_expert_takes_a_shortest_way():
    game = Sokoban()
    game.reset(0)
    game.floor = frozenset((row, column) for row in range(4) for column in range(4))
    game.goal, game.player, game.box = (0, 3), (0, 0), (0, 1)
    assert game.expert() == ("push right", "right")
    game.step(answer("so", "right"))
    assert game.step(answer("so", "right")).score == 1


@pytest.mark.parametrize(
    ("wrong", "score"), [({}, 1), ({"colour": "blue"}, 0.75), ({"colour": "", "size": ""}, 0.5)]
)
def test_web_shop_scores_the_share_of_what_was_asked(wrong: dict[str, str], score: float):
    game = WebShop()
    game.reset(0)
    game.colour = "red"
    while game.basket is None or game.expert()[1] != "buy":
        game.step(answer(*game.expert()))
    game.basket.options |= wrong
    step = game.step(answer("so", "buy"))
    assert (step.score, step.done) == (score, True)
    assert step.reward == (10 if score == 1 else 0)


def test_maths_takes_any_expression_and_shows_its_value():
    game = Maths()
    game.reset(0)
    step = game.step(answer("so", "calc ( 1 2 + 5 ) * 7"))
    assert step.valid_action
    assert step.observation.anchor.endswith("result 1 1 9")
    assert game.step(answer("so", "calc 1 // 0")).observation.anchor.endswith("result error")
    assert not game.step(answer("so", "calc have")).valid_action
    assert game.step(answer("so", "answer 0")).done


@pytest.mark.parametrize(
    "expression",
    [
        *("__import__('os')", "2**99", "1/2", "a", "", "999999*999999", "True + 1", "1 // 0"),
        *("1 if 1 else 2", "[1] * 9", "'1'", "1.5", "0x", "9" * 61, "-" * 40 + "1"),
    ],
)
def test_the_calculator_computes_nothing_else(expression: str):
    with pytest.raises(CannotCompute):
        compute(expression)


@given(st.integers(-999, 999), st.integers(-99, 99), st.integers(1, 99))
def test_the_calculator_agrees_with_python(a: int, b: int, c: int):
    assert compute(f"({a} + {b}) // {c} - {a} % {c} * {b}") == (a + b) // c - a % c * b
