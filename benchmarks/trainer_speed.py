"""Samples a second of our trainer and of TRL's GRPOTrainer, and how long a whole run takes.

    python -m benchmarks.trainer_speed [--steps 10]
    python -m benchmarks.trainer_speed --run grpo

Both train one cloned decoder (for TRL as a transformers Llama with a word-level tokenizer, which
gives the same token ids) on the first turn of the household task: answer as the scripted expert
would. TRL is single-turn, so this is what both can do. Prompts, group size, longest response,
updates a batch, rate, clip, reference KL, weight decay and gradient norm are the same, and so are
the passes: old policy, reference, updates. TRL's gradient checkpointing, on by default, is off:
here it only costs. The steps of the trainers alternate in one process on one thread, with 64 rows
a step and with 640, which is about the turns of a household step.

`--run` times 150 steps of the household recipe, cloning, evaluations and records included.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.cache import folder
from benchmarks.stepping import Seconds, Stepped, Tick, median_interval, ours, without_probes
from collapse_lab.records import Record
from collapse_lab.scoring.markdown import plain, table_of
from collapse_lab.trainers.checkpoints import State
from collapse_lab.trainers.policy import END, PAD, Policy, Vocabulary, to_transformers
from collapse_lab.trainers.recipes import Recipe
from collapse_lab.trainers.tasks import TASKS
from collapse_lab.trainers.tasks.answers import action_in
from collapse_lab.trainers.tasks.base import SUCCESS_REWARD, Step, vocabulary_words
from collapse_lab.trainers.tasks.household import Household

GROUPS = (8, 80)
WARM_UP = 3
"""Steps of each trainer that are not counted."""


class FirstTurn(Household):
    """One turn, solved by the expert's action."""

    name = "first_turn"
    turn_limit = 1

    def step(self, response: str) -> Step:
        wanted = self.expert()[1]
        played = super().step(response)
        solved = action_in(response) == wanted
        return played._replace(reward=SUCCESS_REWARD * solved, score=float(solved))


def setting(groups: int, steps: int) -> Recipe:
    """The arena's recipe on that task; no evaluation, which TRL does not make either."""
    last = WARM_UP + steps + 1  # the last step evaluates, and is not stepped to
    return Recipe(
        task=FirstTurn.name,
        algorithm="grpo",
        groups=groups,
        steps=last,
        warm_up=0,
        eval_every=last,
        eval_episodes=1,
    )


def trl(recipe: Recipe, cache: Path, scratch: Path, lengths: list[float]) -> Stepped:
    """TRL's trainer with the same policy, prompts and settings; a step is one batch of rollouts.

    `lengths` is given the mean length of the responses, a step.
    """
    from datasets import Dataset
    from transformers import PrinterCallback, TrainerCallback
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer

    state = State.begin(recipe, cache)
    model, tokenizer = _saved(state.policy, scratch)
    game = FirstTurn()
    seeds = [seed for _ in range(recipe.steps) for seed in state.next_tasks(recipe)]
    prompts = [game.reset(seed).text for seed in seeds]

    def reward(completions: Sequence[str], seed: Sequence[int], **more: Any) -> list[float | None]:
        rewards: list[float | None] = []
        for words, number in zip(completions, seed, strict=True):
            game.reset(number)
            rewards.append(game.step(words).reward)
        return rewards

    rows = recipe.groups * recipe.group_size
    arguments = GRPOConfig(
        output_dir=str(scratch),
        use_cpu=True,
        bf16=False,
        model_init_kwargs={"dtype": "float32"},
        per_device_train_batch_size=rows // recipe.mini_batches,
        gradient_accumulation_steps=1,
        steps_per_generation=recipe.mini_batches,
        num_generations=recipe.group_size,
        max_completion_length=FirstTurn.response_limit,
        max_steps=recipe.steps * recipe.mini_batches,
        learning_rate=recipe.lr,
        lr_scheduler_type="constant",
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
        beta=recipe.kl,
        loss_type="bnpo",
        temperature=recipe.temperature,
        shuffle_dataset=False,
        gradient_checkpointing=False,
        logging_steps=recipe.mini_batches,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
    )

    def train(tick: Tick) -> None:
        class Ticks(TrainerCallback):
            def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
                if state.global_step % recipe.mini_batches == 0:
                    tick()

            def on_log(self, args: Any, state: Any, control: Any, **more: Any) -> None:
                lengths.append(float(more["logs"]["completions/mean_length"]))

        trainer = GRPOTrainer(
            str(model),
            reward,
            arguments,
            Dataset.from_dict({"prompt": prompts, "seed": seeds}),
            processing_class=tokenizer,
            callbacks=[Ticks()],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()

    return Stepped(train)


def _saved(policy: Any, scratch: Path) -> tuple[Path, Any]:
    """The policy as a folder that transformers reads, and its words as a tokenizer."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit
    from transformers import PreTrainedTokenizerFast

    assert isinstance(policy, Policy)
    words = Vocabulary(vocabulary_words(FirstTurn)).words
    whole = Tokenizer(WordLevel({word: place for place, word in enumerate(words)}, unk_token=PAD))
    whole.pre_tokenizer = WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=whole, pad_token=PAD, eos_token=END)
    path = scratch / "model"
    to_transformers(policy).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path, tokenizer


def compare(groups: int, steps: int, cache: Path, scratch: Path) -> list[tuple[str, ...]]:
    """Lines of the table: ours, ours without probes, TRL; with ratios to TRL by pairs of steps."""
    recipe = setting(groups, steps)
    records: list[Record] = []
    lengths: list[float] = []
    loops = {
        "collapse-lab": ours(recipe, cache, records.append),
        "collapse-lab, probes off": ours(recipe, cache),
        "TRL GRPOTrainer": trl(recipe, cache, scratch, lengths),
    }
    spent: dict[str, list[Seconds]] = {name: [] for name in loops}
    for number in range(WARM_UP + steps):
        for name in loops if number % 2 else reversed(loops):
            if name.endswith("off"):
                with without_probes():
                    spent[name].append(loops[name].step())
            else:
                spent[name].append(loops[name].step())
    rows = groups * recipe.group_size
    own = statistics.mean(record.values["length/mean"] for record in records[WARM_UP:])
    token_means = {"TRL GRPOTrainer": statistics.mean(lengths[WARM_UP - 1 :])}
    *_, trls = (all_steps[WARM_UP:] for all_steps in spent.values())
    lines: list[tuple[str, ...]] = []
    for name, all_steps in spent.items():
        counted = all_steps[WARM_UP:]
        ratios = [
            median_interval([b[clock] / a[clock] for a, b in zip(counted, trls, strict=True)])
            for clock in (0, 1)
        ]
        lines.append(
            (
                name,
                str(rows),
                plain(token_means.get(name, own)),
                *(plain(rows / statistics.median(s[clock] for s in counted)) for clock in (0, 1)),
                *(f"{middle:.2f} [{low:.2f}, {high:.2f}]" for middle, low, high in ratios),
            )
        )
    return lines


def time_run(algorithm: str) -> str:
    """A whole run, with an empty cache of policies."""
    command = [sys.executable, "-c", "from collapse_lab.cli import main; main()", "train"]
    with tempfile.TemporaryDirectory() as root:
        began = time.perf_counter()
        subprocess.run(
            [*command, algorithm, "--task", "household", "--set", "steps=150", "--root", root],
            check=True,
        )
        wall = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return f"{algorithm}: {used.ru_utime + used.ru_stime:.0f} s of CPU, {wall:.0f} s by the clock"


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed of the trainer, beside TRL's.")
    parser.add_argument("--steps", type=int, default=10, help="that are counted, of each trainer")
    parser.add_argument("--run", metavar="ALGORITHM", help="time a whole household run instead")
    given = parser.parse_args()
    if given.run:
        print(time_run(given.run))
        return
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    TASKS[FirstTurn.name] = FirstTurn
    lines: list[tuple[str, ...]] = []
    for groups in GROUPS:
        with tempfile.TemporaryDirectory() as scratch:
            lines += compare(groups, given.steps, folder() / "policies", Path(scratch))
    clocks = ("CPU", "wall")
    header = (
        "trainer",
        "rows a step",
        "tokens a row",
        *(f"samples a second of {clock}" for clock in clocks),
        *(f"times TRL, {clock}" for clock in clocks),
    )
    print(table_of(header, lines))


if __name__ == "__main__":
    main()
