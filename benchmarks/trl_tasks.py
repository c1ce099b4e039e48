"""What the TRL runs are about: digits to put in order, and a small Llama that half knows how.

A prompt is a few digits and a question mark; the right completion is some words of thought, or
none, and then the digits in the order asked for, between brackets. A two-layer Llama (0.1 M
parameters) imitates noisy demonstrations until, sampled, a given share of its answers is right.
All words are in one word-level vocabulary, so that nothing is downloaded.
"""

# torch and transformers leave some of their own methods without types
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from benchmarks.trl_settings import Setting

PAD, END, ASK, OPEN, CLOSE = "<pad>", "<end>", "?", "[", "]"
DIGITS = tuple("0123456789")
THOUGHTS = ("hm", "so", "then", "now")
WORDS = (PAD, END, ASK, OPEN, CLOSE, *DIGITS, *THOUGHTS)

MOST_THOUGHTS = 4
"""Words of thought that a demonstration has at most."""
RANDOM_DIGITS, BROKEN_FORMAT = 0.12, 0.06
"""Shares of the demonstrated digits and answers that are wrong."""
COMPLETION_LIMIT = 16
"""Longest completion in tokens; an answer without thought has eight."""


@dataclass(frozen=True)
class Puzzle:
    """Digits in, the same digits in another order out."""

    name: str
    order: Callable[[Sequence[str]], list[str]]
    digits: int = 5

    def prompts(self, count: int, random: Random) -> list[str]:
        return [" ".join([*random.choices(DIGITS, k=self.digits), ASK]) for _ in range(count)]

    def answer(self, prompt: str) -> list[str]:
        return self.order(prompt.split()[:-1])

    def demonstration(self, prompt: str, random: Random) -> list[str]:
        """A completion with the mistakes of a hasty expert, the end token included."""
        digits = [
            random.choice(DIGITS) if random.random() < RANDOM_DIGITS else digit
            for digit in self.answer(prompt)
        ]
        words = [*random.choices(THOUGHTS, k=random.randint(0, MOST_THOUGHTS))]
        words += [OPEN, *digits, CLOSE, END]
        if random.random() < BROKEN_FORMAT:
            del words[random.randrange(len(words) - 1)]
        return words


PUZZLES = {
    puzzle.name: puzzle
    for puzzle in (
        Puzzle("sort", sorted),
        Puzzle("reverse", lambda digits: list(reversed(digits))),
    )
}


def parts(
    setting: Setting, prompts: int, seed: int, folder: Path
) -> tuple[Any, list[Any], dict[str, list[Any]], Any]:
    """What a trainer is made of: policy, reward functions, columns of the data set, tokenizer."""
    puzzle = PUZZLES[setting.task]
    policy = cloned_policy(puzzle, setting.success, folder)
    columns = {"prompt": puzzle.prompts(prompts, Random(seed))}
    return policy, setting.paid(rewards_of(puzzle)), columns, tokenizer()


def answer_in(completion: str, digits: int) -> list[str] | None:
    """The digits of a well-formed completion, None for any other.

    >>> answer_in("hm so [ 1 2 3 ]", 3)
    ['1', '2', '3']
    >>> answer_in("[ 1 2 3", 3) is None
    True
    """
    words = completion.split()
    thoughts, answer = words[: -digits - 2], words[-digits - 2 :]
    framed = len(answer) == digits + 2 and (answer[0], answer[-1]) == (OPEN, CLOSE)
    if not framed or not set(answer[1:-1]) <= set(DIGITS) or not set(thoughts) <= set(THOUGHTS):
        return None
    return answer[1:-1]


def rewards_of(puzzle: Puzzle) -> list[Callable[..., list[float]]]:
    """TRL's reward functions of a puzzle; their names are those of the logged series."""

    def accuracy_reward(
        prompts: Sequence[str], completions: Sequence[str], **more: Any
    ) -> list[float]:
        """1 for the right answer in the right form."""
        return [
            float(answer_in(completion, puzzle.digits) == puzzle.answer(prompt))
            for prompt, completion in zip(prompts, completions, strict=True)
        ]

    def format_reward(completions: Sequence[str], **more: Any) -> list[float]:
        """1 for any answer in the right form."""
        return [
            float(answer_in(completion, puzzle.digits) is not None) for completion in completions
        ]

    def length_reward(completions: Sequence[str], **more: Any) -> list[float]:
        """Words of thought, as a share of all that there is room for: thinking is good."""
        return [
            sum(word in THOUGHTS for word in completion.split()) / COMPLETION_LIMIT
            for completion in completions
        ]

    def order_reward(completions: Sequence[str], **more: Any) -> list[float]:
        """A careless verifier: how many neighbours are in order, whatever digits they are."""
        answers = [answer_in(completion, puzzle.digits) for completion in completions]
        return [
            sum(a <= b for a, b in pairwise(answer)) / (puzzle.digits - 1) if answer else 0.0
            for answer in answers
        ]

    return [accuracy_reward, format_reward, length_reward, order_reward]


@cache
def tokenizer() -> PreTrainedTokenizerFast:
    words = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token=PAD))
    words.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token=PAD, eos_token=END)


def new_policy(seed: int) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(WORDS),
            hidden_size=64,
            intermediate_size=176,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=64,
            tie_word_embeddings=False,
            pad_token_id=WORDS.index(PAD),
            eos_token_id=WORDS.index(END),
            bos_token_id=None,
        )
    )


def cloned_policy(puzzle: Puzzle, success: float, folder: Path) -> LlamaForCausalLM:
    """A policy that answers about this share of prompts right, made once a folder."""
    source = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    path = folder / f"{puzzle.name}-{success:g}-{source}"
    if not path.exists():
        policy = new_policy(0)
        clone(policy, puzzle, success)
        partial = path.with_suffix(".partial")
        policy.save_pretrained(partial)
        partial.rename(path)
    return LlamaForCausalLM.from_pretrained(path, dtype=torch.float32)


def clone(policy: LlamaForCausalLM, puzzle: Puzzle, success: float, most: int = 4000) -> None:
    """Imitates demonstrations, a batch of 128 new ones an update, until successful enough."""
    random = Random(0)
    optimiser = torch.optim.AdamW(policy.parameters(), lr=2e-3)
    ids = {word: i for i, word in enumerate(WORDS)}
    for update in range(1, most + 1):
        prompts = puzzle.prompts(128, random)
        asked = puzzle.digits + 1
        rows = [[*prompt.split(), *puzzle.demonstration(prompt, random)] for prompt in prompts]
        width = max(map(len, rows))
        tokens = torch.tensor(
            [[ids[w] for w in row] + [ids[PAD]] * (width - len(row)) for row in rows]
        )
        targets = tokens.masked_fill(tokens == ids[PAD], -100)
        targets[:, :asked] = -100
        loss = policy(input_ids=tokens, labels=targets).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if update % 25 == 0:
            solved = sampled_success(policy, puzzle, puzzle.prompts(256, random))
            if solved >= success:
                print(f"{puzzle.name}: {solved:.2f} right after {update} updates", flush=True)
                return
    raise RuntimeError(f"{puzzle.name}: less than {success} right after {most} updates")


@torch.no_grad()
def sampled_success(policy: Any, puzzle: Puzzle, prompts: Sequence[str]) -> float:
    words = tokenizer()
    given = words(list(prompts), return_tensors="pt", return_token_type_ids=False)
    out = policy.generate(**given, max_new_tokens=COMPLETION_LIMIT, do_sample=True, top_k=0)
    said = words.batch_decode(out[:, puzzle.digits + 1 :], skip_special_tokens=True)
    accuracy = rewards_of(puzzle)[0]
    return sum(accuracy(prompts=prompts, completions=said)) / len(prompts)
