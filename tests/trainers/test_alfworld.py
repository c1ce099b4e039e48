"""The real package on a kitchen of our own, not the benchmark's. Run by `make test-alfworld`."""

from __future__ import annotations

import json
import math
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

from collapse_lab.records import Record
from collapse_lab.trainers.loop import train
from collapse_lab.trainers.recipes import recipe
from collapse_lab.trainers.tasks.alfworld import FOLDERS, ALFWorld
from collapse_lab.trainers.tasks.answers import answer
from collapse_lab.trainers.tasks.base import Split, task_seed

pytestmark = [
    pytest.mark.alfworld,
    pytest.mark.skipif(
        find_spec("alfworld") is None, reason="ALFWorld is not installed here: make test-alfworld"
    ),
]

FURNITURE = ("Fridge", "Microwave", "SinkBasin", "DiningTable", "SideTable")
OPENED = ("Fridge", "Microwave")
PLACED = {"Apple": ("SideTable", "Fridge"), "DeskLamp": ("SideTable",)}
WANTS = {
    "pick_and_place_simple": "put a apple in diningtable",
    "look_at_obj_in_light": "look at apple under the desklamp",
    "pick_clean_then_place_in_recep": "put a clean apple in diningtable",
    "pick_heat_then_place_in_recep": "put a hot apple in diningtable",
    "pick_cool_then_place_in_recep": "put a cool apple in diningtable",
    "pick_two_obj_and_place": "put two apple in diningtable",
}


def problem(kind: str, turned: int) -> str:
    """The kitchen in PDDL with the package's goal; `turned` moves everything round the room."""
    from alfworld.gen.goal_library import gdict  # pyright: ignore[reportMissingImports]

    order = FURNITURE[turned:] + FURNITURE[:turned]
    place = {name: f"{name.removesuffix('Basin')}_bar_{i}" for i, name in enumerate(order)}
    place["SinkBasin"] += "_bar_SinkBasin"
    at = {name: f"loc_bar_{i}" for i, name in enumerate(order)}
    things = [
        (f"{thing}_bar_{i}", thing, where)
        for thing, wheres in PLACED.items()
        for i, where in enumerate(wheres)
    ]
    facts = ["(= (total-cost) 0)", "(atLocation agent1 loc_bar_start)"]
    for name, receptacle in place.items():
        facts += [f"(receptacleType {receptacle} {name}Type)"]
        facts += [f"(receptacleAtLocation {receptacle} {at[name]})"]
        facts += [f"(canContain {name}Type AppleType)"]
        facts += [f"(openable {receptacle})"] if name in OPENED else []
    for thing, name, where in things:
        facts += [f"(objectType {thing} {name}Type)", f"(inReceptacle {thing} {place[where]})"]
        facts += [f"(objectAtLocation {thing} {at[where]})"]
        able = "cleanable heatable coolable pickupable" if name == "Apple" else "toggleable"
        facts += [f"({word} {thing})" for word in able.split()]
    objects = [
        "agent1 - agent",
        *(f"{location} - location" for location in (*at.values(), "loc_bar_start")),
        *(f"{receptacle} - receptacle" for receptacle in place.values()),
        *(f"{thing} - object" for thing, _, _ in things),
        *(f"{name}Type - rtype" for name in FURNITURE),
        *(f"{name}Type - otype" for name in PLACED),
    ]
    goal = gdict[kind]["pddl"].format(obj="Apple", recep="DiningTable", toggle="DeskLamp")
    return (
        f"(define (problem kitchen) (:domain alfred) (:objects {' '.join(objects)})\n"
        f"(:init {' '.join(facts)})\n{goal.replace('#', '-')}"
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from alfworld.info import (  # pyright: ignore[reportMissingImports]
        ALFRED_PDDL_PATH,
        ALFRED_TWL2_PATH,
    )

    folder = tmp_path_factory.mktemp("alfworld")
    for turned, split in enumerate(FOLDERS):
        for kind, wants in WANTS.items():
            game = folder / FOLDERS[split] / kind / "trial"
            game.mkdir(parents=True)
            (game / "traj_data.json").write_text(json.dumps({"task_type": kind}))
            grammar = Path(ALFRED_TWL2_PATH).read_text().replace("UNKNOWN GOAL", wants)
            written = {
                "pddl_domain": Path(ALFRED_PDDL_PATH).read_text(),
                "grammar": grammar,
                "pddl_problem": problem(kind, turned),
                "solvable": True,
            }
            (game / "game.tw-pddl").write_text(json.dumps(written))
    return folder


@pytest.fixture(autouse=True)
def here(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALFWORLD_DATA", str(data))


@pytest.mark.parametrize("split", FOLDERS)
def test_the_planner_wins_a_game_of_every_kind(split: Split):
    game, won = ALFWorld(), set()
    for index in range(len(WANTS)):
        observation = game.reset(task_seed(split, index))
        assert WANTS[game.kind] in observation.text
        assert FOLDERS[split] in str(game.file)
        steps = [game.step(answer(*game.expert()))]
        while not steps[-1].done:
            steps.append(game.step(answer(*game.expert())))
        assert all(step.valid_action for step in steps)
        assert [step.reward for step in steps] == [0.0] * (len(steps) - 1) + [10.0]
        won.add(game.kind)
    assert won == set(ALFWorld.kinds)


def test_an_invalid_action_is_answered_and_changes_nothing():
    game = ALFWorld()
    before = game.reset(task_seed("train", 0))
    able = game.admissible()
    for response, well_formed in ((answer("so", "fly to moon 1"), True), ("go", False)):
        step = game.step(response)
        assert "\nNothing happens.\nActions: " in step.observation.text
        assert (step.valid_format, step.valid_action) == (well_formed, False)
        assert step.observation.anchor == before.anchor
    assert game.admissible() == able
    assert "> fly to moon 1\n" in step.observation.text


def test_a_prompt_holds_the_task_two_turns_and_what_can_be_done():
    game = ALFWorld()
    first = game.reset(task_seed("train", 0)).text.splitlines()
    assert [line.split()[0] for line in first] == ["Your", "You", "Actions:"]
    for place in ("fridge 1", "sidetable 1", "diningtable 1"):
        step = game.step(answer("so", f"go to {place}"))
    told = step.observation.text.splitlines()
    assert told[1:-1] == [
        "You arrive at fridge 1. The fridge 1 is closed.",
        "> go to sidetable 1",
        told[3],
        "> go to diningtable 1",
        "You arrive at diningtable 1. On the diningtable 1, you see nothing.",
    ]
    assert all(thing in told[3] for thing in ("a apple ", "a desklamp 1"))
    assert step.observation.anchor == told[-2]


def test_a_seed_names_a_game_and_the_splits_share_none():
    files: dict[Split, list[Path]] = {}
    for split in FOLDERS:
        first, second = ALFWorld(), ALFWorld()
        files[split] = []
        for index in range(len(WANTS) + 1):
            seed = task_seed(split, index)
            assert first.reset(seed) == second.reset(seed)
            files[split].append(first.file)
        assert len(set(files[split][:-1])) == len(WANTS)
        assert files[split][-1] == files[split][0]
    assert not {*files["train"]} & {*files["held_out"]}


def test_games_that_are_not_there_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ALFWORLD_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=r"no games in .*train: alfworld-download fetches them"):
        ALFWorld().reset(0)


def test_a_pretrained_model_trains_on_it(tmp_path: Path):
    vocabulary = {c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    backend = Tokenizer(models.BPE(vocab=vocabulary | {"<eos>": len(vocabulary)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    words = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<eos>")
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=8192,
        eos_token_id=len(vocabulary),
    )
    torch.manual_seed(0)
    for part in (AutoModelForCausalLM.from_config(config), words):
        part.save_pretrained(tmp_path / "model")
    settings = ("steps=2", "groups=1", "group_size=2", "mini_batches=2", "eval_episodes=1")
    made = recipe(
        "alfworld",
        "grpo",
        0,
        (*settings, f"policy={tmp_path / 'model'}", "response_tokens=6", "lr=1e-3"),
    )
    records: list[Record] = []
    train(made, records.append, cache=tmp_path)
    assert [record.step for record in records] == [0, 1]
    for record in records:
        assert record.values["policy/entropy"] > 0
        assert record.values["policy/turns_mean"] == 50
        for name in ("loss/pg", "optim/grad_norm", "kl/ref", "mismatch/absdiff_max"):
            assert math.isfinite(record.values[name])
