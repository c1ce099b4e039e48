"""Loops in turn: what the benchmarks compare really does the same work."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.stepping import Stepped, Tick, median_interval, ours, without_probes
from benchmarks.trainer_speed import FirstTurn
from collapse_lab.records import Record
from collapse_lab.trainers.cloning import Cloning
from collapse_lab.trainers.policy import Size
from collapse_lab.trainers.recipes import Recipe
from collapse_lab.trainers.tasks.answers import answer


def test_a_loop_goes_on_only_while_a_step_is_waited_for():
    done: list[str] = []

    def loop(name: str):
        def run(tick: Tick) -> None:
            for number in range(3):
                done.append(f"{name}{number}")
                tick()

        return run

    first, second = Stepped(loop("a")), Stepped(loop("b"))
    for stepped in (first, second, second, first):
        stepped.step()
    assert done == ["a0", "b0", "b1", "a1"]


def test_what_goes_wrong_in_a_loop_is_told_by_the_step_and_so_is_its_end():
    def broken(tick: Tick) -> None:
        raise ValueError("no such task")

    with pytest.raises(ValueError, match="no such task"):
        Stepped(broken).step()
    with pytest.raises(RuntimeError, match="no more steps"):
        Stepped(lambda tick: None).step()


def test_without_its_probes_the_loop_does_the_same_work_to_the_bit(tmp_path: Path):
    recipe = Recipe(
        task="household",
        algorithm="grpo",
        groups=2,
        group_size=3,
        mini_batches=2,
        eval_episodes=2,
        size=Size(width=32, inner=64),
        cloning=Cloning(episodes=40, success=0.0, check_every=40, checked=2, batch=64),
    )
    seen: list[Record] = []
    unseen: list[Record] = []
    on = ours(recipe, tmp_path, seen.append)
    off = ours(recipe, tmp_path, unseen.append)
    for _ in range(3):
        on.step()
        with without_probes():
            off.step()
    assert [r.values["loss/pg"] for r in seen] == [r.values["loss/pg"] for r in unseen]
    assert "ratio/max" in seen[-1].values and "ratio/max" not in unseen[-1].values


def test_the_first_turn_is_solved_by_the_experts_action_alone():
    game = FirstTurn()
    game.reset(2)
    right = game.expert()[1]
    wrong = next(action for action in game.admissible() if action != right)
    for action, reward in ((right, 10), (wrong, 0)):
        game.reset(2)
        step = game.step(answer("so", action))
        assert (step.reward, step.done) == (reward, True)


def test_the_median_of_equal_values_has_a_point_for_an_interval():
    assert median_interval([2.0, 2.0, 2.0]) == (2, 2, 2)
