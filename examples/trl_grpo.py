"""GRPO with TRL on a model small enough for one CPU core, offline, in a few seconds.

    python examples/trl_grpo.py --callback              records and judges in the process itself
    collapse-lab watch -- python examples/trl_grpo.py   the same from outside, nothing changed

`--nan-at 5 --stop-on critical` poisons a gradient and lets the callback save and stop.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from datasets import Dataset
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    TrainerCallback,
    set_seed,
)
from trl import GRPOConfig, GRPOTrainer

import collapse_lab

WORDS = [f"w{number}" for number in range(60)]


def tiny_policy() -> tuple[Qwen2ForCausalLM, PreTrainedTokenizerFast]:
    """A random two-layer Qwen2 and a tokenizer of sixty words."""
    vocabulary = {word: index for index, word in enumerate(["<pad>", "<eos>", "<unk>", *WORDS])}
    words = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    )
    config = Qwen2Config(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=64,
        pad_token_id=0,
        eos_token_id=1,
    )
    return Qwen2ForCausalLM(config), tokenizer


def low_words(completions: list[str], **_: object) -> list[float]:
    """Reward: the share of words below w30."""
    return [
        sum(int(word[1:]) < 30 for word in text.split() if word[0] == "w") / 8
        for text in completions
    ]


def poison_gradient(model: torch.nn.Module, at_step: int) -> None:
    """Makes one parameter's gradient NaN at the given step, as a hardware fault would."""
    backward_passes = 0

    def poison(gradient: torch.Tensor) -> torch.Tensor:
        nonlocal backward_passes
        backward_passes += 1
        return gradient * torch.nan if backward_passes == at_step else gradient

    next(model.parameters()).register_hook(poison)


def trainer(
    out: Path, steps: int, callbacks: list[TrainerCallback], nan_at: int = 0
) -> GRPOTrainer:
    """Twelve short steps are a few seconds; `nan_at` poisons that step's gradient."""
    torch.set_num_threads(1)  # tiny matrices: more threads wait for each other
    set_seed(0)
    model, tokenizer = tiny_policy()
    if nan_at:
        poison_gradient(model, nan_at)
    return GRPOTrainer(
        model=model,
        processing_class=tokenizer,
        reward_funcs=low_words,
        train_dataset=Dataset.from_dict({"prompt": [f"{a} {b}" for a in WORDS for b in WORDS[:4]]}),
        args=GRPOConfig(
            output_dir=str(out),
            max_steps=steps,
            logging_steps=1,  # the default of 10 averages steps, and leaves NaN out
            per_device_train_batch_size=8,
            num_generations=4,
            max_completion_length=8,
            learning_rate=1e-3,
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            bf16=False,
        ),
        callbacks=callbacks,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--out", type=Path, default=Path("trl_grpo"), help="checkpoints")
    parser.add_argument("--root", type=Path, default=Path("runs"), help="run folders")
    parser.add_argument("--callback", action="store_true", help="record from inside the process")
    parser.add_argument("--stop-on", choices=["watch", "alarm", "critical"])
    parser.add_argument("--nan-at", type=int, default=0, metavar="STEP")
    options = parser.parse_args()

    callbacks: list[TrainerCallback] = []
    if options.callback or options.stop_on:
        callbacks.append(collapse_lab.CollapseCallback(stop_on=options.stop_on, root=options.root))
    trainer(options.out, options.steps, callbacks, options.nan_at).train()


if __name__ == "__main__":
    main()
